"""`searcher.max_length` in batches, for a config that counts epochs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_def.annotations import read_coco

# COCO's training images with objects: the file is large, and zoo configs name it.
COCO = {"instances_train2017.json": 117266, "panoptic_train2017.json": 117266}
TOLERANCE = 0.02  # an epoch's last batch, and images that mmdet drops besides


def by_epoch(config: Mapping[str, Any]) -> bool:
    """Whether the config's training loop counts epochs."""
    loop = config.get("train_cfg") or {}
    return "Iter" not in str(loop.get("type")) and loop.get("by_epoch") is not False


def whole_epochs(batches: int, images: int | None, batch_size: int) -> int | None:
    """How many epochs `batches` are; None if that isn't known, or they are no whole number of epochs."""
    if not images:
        return None
    exact = batches * batch_size / images
    return round(exact) if round(exact) and abs(exact - round(exact)) <= TOLERANCE * exact else None


def training_images(config: Mapping[str, Any], overrides: Mapping[str, Any], context: Path) -> int | None:
    """How many images an epoch has; None if that can't be told without building the data set.

    Args:
        config: with a `train_dataloader`.
        overrides: dotted keys, which may name another annotation file.
        context: where relative paths start.
    """
    dataset = (config.get("train_dataloader") or {}).get("dataset") or {}
    files = {
        key.rpartition(".")[2]: value
        for key, value in overrides.items()
        if re.fullmatch(r"train_dataloader\.dataset(\.dataset)*\.(ann_file|data_root)", key)
    }
    return _count(dataset, files, context)


def _count(dataset: Mapping[str, Any], files: Mapping[str, Any], context: Path) -> int | None:
    kind = str(dataset.get("type")).rpartition(".")[2]
    if kind in ("RepeatDataset", "MultiImageMixDataset"):
        inner = _count(dataset.get("dataset") or {}, files, context)
        return inner and inner * int(dataset.get("times", 1))
    if not kind.startswith("Coco"):
        return None
    found = {**dataset, **files}
    path = context / str(found.get("data_root") or "") / str(found.get("ann_file") or "")
    if path.is_file():
        images = read_coco(path, str(path)).images
        empty = not (dataset.get("filter_cfg") or {}).get("filter_empty_gt", False)
        return sum(empty or bool(image.boxes) for image in images)
    return COCO.get(path.name)
