"""Finds objects in images with a trained checkpoint, through mmdet's own inference."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmdet.apis import inference_detector
from mmengine import fileio
from numpy.typing import NDArray

from model_def.drawing import Box, draw, save
from model_def.errors import DataError, OutputError, Problem
from model_def.inference import load_detector


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """The boxes found in one image, the surest first, and the picture of them."""

    image: Path
    boxes: tuple[Box, ...]
    drawn: Path


def predict(
    config: Path | None, weights: Path, images: Sequence[Path], *, to: Path, threshold: float
) -> list[Prediction]:
    """Find objects in each image; write a picture of each and `predictions.json` into the folder `to`.

    Args:
        config, weights: as `load_detector` takes them.
        images, to: those.
        threshold: the score from which a box counts.

    Raises:
        DataError: some of the images can't be read (all of them are named; nothing is written).
        ConfigError, WeightsError: see `load_detector`.
        OutputError: `to` can't be written.
    """
    pixels = read_images(images)
    model = load_detector(config, weights)
    _make(to)
    predictions = []
    for image, array, drawn in zip(images, pixels, _picture_names(images, to), strict=True):
        boxes = detect(model, array, threshold=threshold)
        save(draw(array, boxes), drawn)
        predictions.append(Prediction(image=image, boxes=tuple(boxes), drawn=drawn))
    (to / "predictions.json").write_text(as_json(predictions) + "\n")
    return predictions


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0")
    except OSError as error:
        raise OutputError(
            what="the predictions can't be written",
            value=str(folder),
            where=str(error),
            allowed="a directory that you may write, on a disk with room",
            next="choose another one: --to DIR",
        ) from error


def as_json(predictions: Sequence[Prediction]) -> str:
    """`[{"image": …, "boxes": [{"label": …, "score": …, "bbox": [x1, y1, x2, y2]}, …]}, …]`, one image a line."""
    rows = [
        json.dumps({"image": str(p.image), "boxes": [_plain(box) for box in p.boxes]}, ensure_ascii=False)
        for p in predictions
    ]
    return "[\n" + ",\n".join(rows) + "\n]"


def detect(model: Any, pixels: NDArray[np.uint8], *, threshold: float) -> list[Box]:
    """The boxes with a score of at least `threshold` in an image (height, width, 3; BGR), the surest first."""
    found = inference_detector(model, pixels).get("pred_instances")
    return [] if found is None else boxes_of(found, model.dataset_meta["classes"], threshold=threshold)


def boxes_of(found: Any, names: Sequence[str], *, threshold: float) -> list[Box]:
    """mmdet's predictions for an image as boxes, from a score of `threshold` on, the surest first."""
    found = found[found.scores >= threshold].cpu().numpy()
    masks: Sequence[Any] = found.masks if "masks" in found else [None] * len(found)
    boxes = [
        Box(label=names[label], score=float(score), bbox=tuple(map(float, bbox)), mask=mask)
        for label, score, bbox, mask in zip(found.labels, found.scores, found.bboxes, masks, strict=True)
    ]
    return sorted(boxes, key=lambda box: -(box.score or 0))


def read_images(paths: Sequence[Path]) -> list[NDArray[np.uint8]]:
    """Each image as (height, width, 3), BGR.

    Raises:
        DataError: one or more can't be read.
    """
    images = [read_image(str(path)) if path.is_file() else None for path in paths]
    problems = [
        Problem(
            what="the image is broken" if path.is_file() else "there is no such image",
            value=str(path),
            where="command line",
            allowed="JPEG, PNG and what else OpenCV reads",
            next=f"ls -l {path if path.is_file() else path.parent}",
        )
        for path, image in zip(paths, images, strict=True)
        if image is None
    ]
    if problems:
        raise DataError.of(problems)
    return [image for image in images if image is not None]


def read_image(path: str, backend_args: dict[str, Any] | None = None) -> NDArray[np.uint8] | None:
    """An image as mmcv reads it, (height, width, 3) BGR, from any storage that mmengine knows; None if it is broken."""
    content = fileio.get(path, backend_args=backend_args)
    image: NDArray[np.uint8] | None = mmcv.imfrombytes(content) if content else None
    return image


def _picture_names(images: Sequence[Path], to: Path) -> list[Path]:
    """A file name for each image; a number tells images of the same name apart."""
    stems = [image.stem for image in images]
    earlier = [stems[:index].count(stem) for index, stem in enumerate(stems)]
    return [
        to / (f"{stem}-{count + 1}.png" if count else f"{stem}.png") for stem, count in zip(stems, earlier, strict=True)
    ]


def _plain(box: Box) -> dict[str, Any]:
    return {
        "label": box.label,
        "score": round(box.score or 0, 4),
        "bbox": [round(corner, 1) for corner in box.bbox],
    }
