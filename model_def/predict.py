"""Finds objects in images with a trained checkpoint, through mmdet's own inference."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mmcv
import numpy as np
import torch
from mmdet.apis import inference_detector, init_detector
from mmengine import fileio
from mmengine.config import Config
from numpy.typing import NDArray

from model_def.building import building
from model_def.drawing import Box, draw, save
from model_def.errors import ConfigError, DataError, OutputError, Problem, WeightsError
from model_def.weights import load_report

if TYPE_CHECKING:
    from torch import nn


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """The boxes found in one image, the surest first, and the picture of them."""

    image: Path
    boxes: tuple[Box, ...]
    drawn: Path


def predict(config: Path, weights: Path, images: Sequence[Path], *, to: Path, threshold: float) -> list[Prediction]:
    """Find objects in each image; write a picture of each and `predictions.json` into the folder `to`.

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


def load_detector(config: Path, weights: Path) -> nn.Module:
    """The detector of a resolved config with its weights, on the GPU if there is one.

    Raises:
        ConfigError: the config can't be read, or its model can't be built.
        WeightsError: the file is no checkpoint, one of another model, or one that holds more than plain tensors.
    """
    content, loaded = _read_config(config), _read_weights(weights)
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    with building("model"):
        # With `cfg_options` mmdet leaves `model.backbone` alone, which semi-supervised models don't have.
        model: nn.Module = init_detector(content, str(weights), palette="random", device=device, cfg_options={})
    report = load_report(model, loaded)
    if report.missing or report.mismatched:
        raise _weights_error(
            weights, f"the weights are another model's than the config's: {report.lines()[0]}", str(config)
        )
    return model


def _read_config(path: Path) -> Config:
    try:
        return Config.fromfile(str(path))
    except Exception as error:  # a config is a program: it may raise anything
        raise ConfigError(
            what=f"the config can't be read ({type(error).__name__}: {error})",
            value=path.name,
            where=str(path),
            allowed="the config.py that training wrote",
            next="take another output directory: ls output/*",
        ) from error


def _read_weights(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        loaded: Mapping[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
        return loaded
    except Exception as error:  # a broken file can make the unpickler raise anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise _weights_error(path, "the weights can't be loaded", reason) from error


def _weights_error(path: Path, what: str, where: str) -> WeightsError:
    allowed, next_step = "a model.pth that training wrote", "take another output directory: ls output/*"
    return WeightsError(what=what, value=str(path), where=where, allowed=allowed, next=next_step)


def detect(model: Any, pixels: NDArray[np.uint8], *, threshold: float) -> list[Box]:
    """The boxes with a score of at least `threshold` in an image (height, width, 3; BGR), the surest first."""
    found = inference_detector(model, pixels).get("pred_instances")
    if found is None:
        return []
    found = found[found.scores >= threshold].cpu().numpy()
    names = model.dataset_meta["classes"]
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
