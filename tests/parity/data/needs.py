"""Packages that parts of the data side of a config need, and that not every installation has."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

from model_def.compose.tree import type_name

# Component: the module that it imports, and the package that brings it.
NEEDED = {
    "CityScapesMetric": ("cityscapesscripts", "cityscapesscripts"),
    "CocoPanopticMetric": ("panopticapi", "panopticapi"),
    "LoadPanopticAnnotations": ("panopticapi", "panopticapi"),
    "LVISV05Dataset": ("lvis", "lvis"),
    "LVISV1Dataset": ("lvis", "lvis"),
    "LVISMetric": ("lvis", "lvis"),
    "LVISFixedAPMetric": ("lvis", "lvis"),
    "MOTChallengeMetric": ("trackeval", "trackeval"),
    "DODDataset": ("d_cube", "ddd-dataset"),
    "DSDLDetDataset": ("dsdl", "dsdl"),
    "DumpODVGResults": ("jsonlines", "jsonlines"),
    "Albu": ("albumentations", "albumentations"),
    "Corrupt": ("imagecorruptions", "imagecorruptions"),
    "RandomSamplingNegPos": ("transformers", "transformers"),
    "InstaBoost": ("instaboostfast", "instaboostfast"),
}


class NeedsPackage(Exception):  # says what is needed, not that something broke
    """The config can't be trained here: a package is missing. `name` is what pip calls it."""

    def __init__(self, name: str, component: str) -> None:
        super().__init__(f"{component} needs the package {name}")
        self.name = name


def require_packages(config: dict[str, Any]) -> None:
    """Check what training and validating with this config imports.

    Raises:
        NeedsPackage: a package isn't installed.
    """
    sections = [config.get(f"{part}_{kind}") for part in ("train", "val") for kind in ("dataloader", "evaluator")]
    for name in _types([*sections, config.get("custom_hooks")]):
        module, package = NEEDED.get(name, ("", ""))
        if module and importlib.util.find_spec(module) is None:
            raise NeedsPackage(package, name)


def _types(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield type_name(node)
        node = list(node.values())
    if isinstance(node, list | tuple):
        for item in node:
            yield from _types(item)
