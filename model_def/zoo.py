"""Where the configs are that the mmdet wheel ships, and what they are called. Nothing here imports mmdet."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from model_def.errors import ConfigError


def zoo() -> Path:
    """The folder of the configs that the mmdet wheel ships.

    Raises:
        ConfigError: mmdet isn't installed.
    """
    found = configs_of("mmdet")
    if found is None:
        raise ConfigError(what="mmdet isn't installed", allowed="mmdet 3.x", next="make setup")
    return found


def configs_of(package: str) -> Path | None:
    """The folder of the configs that an OpenMMLab package ships; None where it isn't installed."""
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / ".mim" / "configs"


def zoo_name(file: Path) -> str | None:
    """`retinanet/retinanet_r50_fpn_1x_coco.py` for that file; None for one that isn't the zoo's."""
    path, root = file.resolve(), zoo().resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


def zoo_names() -> list[str]:
    """Every config of the zoo that isn't a `_base_`, as `family/name.py`, sorted."""
    root = zoo()
    found = (path.relative_to(root).as_posix() for path in root.rglob("*.py"))
    return sorted(name for name in found if "_base_" not in name)
