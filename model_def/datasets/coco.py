"""Writes labelled pictures as a COCO detection split: a folder of PNG files and one JSON file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Photographs hardly shrink in a PNG (10 %), and a stored one is read four times faster than a compressed one.
_STORED = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
    """One image with its objects.

    Attributes:
        pixels: (height, width, 3) uint8, RGB.
        boxes: (n, 4) x1, y1, x2, y2 in pixels; x2 and y2 lie just outside of the object.
        labels: n positions in the list of classes.
        polygons: one outline for each object, as flat x, y, x, y …; empty if there are no masks.
        source: further fields for the image's entry in the JSON file.
    """

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float64]
    labels: Sequence[int]
    polygons: Sequence[Sequence[float]] = ()
    source: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """One part of a data set: its paths, relative to the data set's root, and how much it holds."""

    ann_file: str
    img_prefix: str
    images: int
    annotations: int


def write_split(
    root: Path, *, ann_file: str, img_prefix: str, pictures: Iterable[Picture], classes: Sequence[str]
) -> Split:
    """Write `pictures` below `root` as the images `img_prefix` and the COCO annotations `ann_file`.

    Source: the "Object Detection" form of https://cocodataset.org/#format-data. Ids count from 1.
    """
    folder = root / img_prefix
    folder.mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for picture in pictures:
        image = _image_entry(picture, image_id=len(images) + 1)
        Image.fromarray(picture.pixels).save(folder / image["file_name"], compress_level=_STORED)
        images.append(image)
        for entry in _annotation_entries(picture):
            annotations.append({"id": len(annotations) + 1, "image_id": image["id"], **entry})
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, start=1)]
    target = root / ann_file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return Split(ann_file=ann_file, img_prefix=img_prefix, images=len(images), annotations=len(annotations))


def _image_entry(picture: Picture, *, image_id: int) -> dict[str, Any]:
    height, width = picture.pixels.shape[:2]
    return {"id": image_id, "file_name": f"{image_id:06d}.png", "width": width, "height": height, **picture.source}


def _annotation_entries(picture: Picture) -> Iterable[dict[str, Any]]:
    """One entry for each object, without ids. The area is the outline's where there is one, else the box's."""
    for index, (box, label) in enumerate(zip(picture.boxes.tolist(), picture.labels, strict=True)):
        x1, y1, x2, y2 = box
        width, height = x2 - x1, y2 - y1
        entry = {"category_id": int(label) + 1, "bbox": [x1, y1, width, height], "area": width * height, "iscrowd": 0}
        if picture.polygons:
            outline = list(picture.polygons[index])
            entry |= {"segmentation": [outline], "area": polygon_area(outline)}
        yield entry


def polygon_area(outline: Sequence[float]) -> float:
    """The area inside a closed outline x, y, x, y … (the shoelace formula)."""
    x, y = np.asarray(outline, dtype=float).reshape(-1, 2).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
