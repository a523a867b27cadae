"""Predictions beside the truth, for a few images of the validation set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from numpy.typing import NDArray
from PIL import Image

from model_def.drawing import Box, captioned, draw, grid, save
from model_def.errors import DataError
from model_def.inference import load_detector
from model_def.predict import detect, read_image

_PAIRS_IN_A_ROW = 2
_SIDE = 400  # of one image, in pixels


def draw_predictions(config: Path, checkpoint: Path, to: Path, *, count: int = 4, threshold: float = 0.3) -> Path:
    """Draw the truth and the predictions of `count` validation images side by side, as one PNG.

    Args:
        config: a resolved config with a validation dataloader.
        checkpoint: the weights, as `load_detector` takes them.
        threshold: the score from which a box is drawn.

    Returns:
        `to`.

    Raises:
        DataError: no validation image has a box, or one can't be read.
        WeightsError: the weights can't be loaded.
    """
    dataset = _validation_set(config)
    model = load_detector(config, checkpoint)
    chosen = spread([i for i in range(len(dataset)) if truth(dataset, i)], count)
    if not chosen:
        raise DataError(what="no validation image has a box to draw", where=str(config))
    several = len(dataset.metainfo["classes"]) > 1
    pairs = [_pair(model, dataset, index, threshold=threshold, show_labels=several) for index in chosen]
    rows = [
        [picture for pair in pairs[i : i + _PAIRS_IN_A_ROW] for picture in pair]
        for i in range(0, len(pairs), _PAIRS_IN_A_ROW)
    ]
    save(grid(rows), to)
    return to


def truth(dataset: Any, index: int) -> list[Box]:
    """The annotated boxes of an image, without those that evaluation ignores."""
    names = dataset.metainfo["classes"]
    return [
        Box(label=names[instance["bbox_label"]], bbox=tuple(instance["bbox"]))
        for instance in dataset.get_data_info(index).get("instances", [])
        if "bbox" in instance and not instance.get("ignore_flag")
    ]


def spread(indices: Sequence[int], count: int) -> list[int]:
    """At most `count` of the indices, evenly spread, in order."""
    if len(indices) <= count:
        return list(indices)
    places = np.linspace(0, len(indices) - 1, count + 2)[1:-1]  # not the very first and last, which are often slivers
    return [indices[round(place)] for place in places]


def _pair(model: Any, dataset: Any, index: int, *, threshold: float, show_labels: bool) -> list[Image.Image]:
    pixels = pixels_of(dataset, index)
    known, found = truth(dataset, index), detect(model, pixels, threshold=threshold)
    sides = ((known, f"truth: {len(known)}"), (found, f"predictions, score from {threshold:g}: {len(found)}"))
    return [captioned(draw(pixels, boxes, side=_SIDE, show_labels=show_labels), text) for boxes, text in sides]


def pixels_of(dataset: Any, index: int) -> NDArray[np.uint8]:
    """An image of a data set: (height, width, 3), BGR.

    Raises:
        DataError: it is broken.
    """
    path = dataset.get_data_info(index)["img_path"]
    pixels = read_image(path, getattr(dataset, "backend_args", None))
    if pixels is None:
        raise DataError(what="the image is broken", value=path)
    return pixels


def _validation_set(config: Path) -> Any:
    register_all_modules(init_default_scope=True)
    return DATASETS.build(Config.fromfile(config).val_dataloader.dataset)
