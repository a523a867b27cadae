"""`torchvision://resnet50` without the torchvision package, which mmengine imports only to learn the addresses."""

from __future__ import annotations

import importlib.util
import pathlib
from typing import Any

import mmengine
from mmengine.runner.checkpoint import CheckpointLoader, load_from_http


def register_without_torchvision() -> None:
    """Let mmengine find torchvision's weights by its own list of addresses, where the package is not installed."""
    if importlib.util.find_spec("torchvision") is None:
        CheckpointLoader.register_scheme(prefixes="torchvision://", loader=_load, force=True)


def address(name: str) -> str:
    """The URL of `torchvision://NAME`.

    Raises:
        OSError: mmengine's list has no such weights.
    """
    addresses: dict[str, str] = mmengine.load(pathlib.Path(mmengine.__file__).parent / "hub/torchvision_0.12.json")
    key = name.removeprefix("torchvision://")
    if key not in addresses:
        raise FileNotFoundError(f"mmengine knows no weights {name}; install torchvision, which may know more")
    return addresses[key]


def _load(filename: str, map_location: Any = None) -> Any:
    return load_from_http(address(filename), map_location=map_location)
