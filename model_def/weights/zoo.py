"""The zoo's published weights of a config, by the `metafile.yml` beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from model_def.compose.find import zoo
from model_def.errors import WeightsError
from model_def.fields import did_you_mean, nearest

ZOO_URL = "https://download.openmmlab.com/mmdetection"
ZOO_URL_VARIABLE = "MMDETECTION_ZOO_URL"


def zoo_weights(config_file: Path, *, where: str) -> str:
    """The URL of the weights that the zoo publishes for a config. `$MMDETECTION_ZOO_URL` replaces the zoo's server.

    Raises:
        WeightsError: the config isn't the zoo's, or there are no weights for it.
    """
    name = _zoo_name(config_file, where)
    published = published_weights(name.parent.as_posix())
    url = published.get(name.as_posix())
    if url is None:
        near = nearest(name.as_posix(), published) or sorted(published)[:3]
        raise WeightsError(
            what="the zoo has no weights for this config",
            value=name.as_posix(),
            where=where,
            allowed=", ".join(sorted(published)) or "a config of a folder with published weights",
            next=did_you_mean(near) or "write `use_pretrained: path/to/weights.pth`, or `use_pretrained: false`",
        )
    return url.replace(ZOO_URL, os.environ.get(ZOO_URL_VARIABLE, ZOO_URL).rstrip("/"), 1)


def published_weights(family: str) -> dict[str, str]:
    """The URLs of one folder of the zoo, by config (`retinanet/retinanet_r50_fpn_1x_coco.py`)."""
    found: dict[str, str] = {}
    for path in sorted((zoo() / family).glob("*.yml")):
        for model in _models(yaml.safe_load(path.read_text(encoding="utf-8"))):
            if isinstance(model.get("Weights"), str) and model.get("Config"):
                found[str(model["Config"]).removeprefix("configs/")] = model["Weights"]
    return found


def _models(content: Any) -> Iterator[dict[str, Any]]:
    models = content.get("Models", []) if isinstance(content, dict) else content
    yield from (model for model in models or [] if isinstance(model, dict))


def _zoo_name(config_file: Path, where: str) -> Path:
    path = config_file.resolve()
    if not path.is_relative_to(zoo().resolve()):
        raise WeightsError(
            what="`use_pretrained: true` takes the zoo's weights, and this config isn't the zoo's",
            value=str(config_file),
            where=where,
            allowed="true for a config of the zoo; a path or URL for any other",
            next="write `use_pretrained: path/to/weights.pth`, or `use_pretrained: false`",
        )
    return path.relative_to(zoo().resolve())
