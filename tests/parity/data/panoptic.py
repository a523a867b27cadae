"""COCO's panoptic form: a segment for each pixel, in PNG files whose colours are the segments' ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.parity.data.made_data import objects, write_json


def write_panoptic(folder: Path, part: str, content: dict[str, Any]) -> None:
    """Write `panoptic_<part>.json` and `panoptic_<part>/<image>.png`; the things keep the ids of their classes."""
    target = folder / f"panoptic_{part}"
    target.mkdir()
    things = [{**category, "isthing": 1} for category in content["categories"]]
    names = enumerate(_stuff(), start=len(things) + 1)
    stuff = [{"id": number, "name": name, "isthing": 0} for number, name in names]
    annotations = []
    for image, entries in objects(content):
        background = [stuff[(image["id"] + offset) % len(stuff)]["id"] for offset in (0, 1)]
        ids, segments = _segments(image, entries, background)
        colours = np.stack([ids % 256, ids // 256 % 256, ids // 256**2], axis=2).astype(np.uint8)
        Image.fromarray(colours).save(target / image["file_name"])
        annotations.append({"image_id": image["id"], "file_name": image["file_name"], "segments_info": segments})
    found = {"images": content["images"], "annotations": annotations, "categories": things + stuff}
    write_json(folder / f"panoptic_{part}.json", found)


def _segments(
    image: dict[str, Any], entries: list[dict[str, Any]], background: list[int]
) -> tuple[NDArray[np.int32], list[dict[str, Any]]]:
    """The ids of all pixels, (height, width), and the segments that can be seen."""
    width, height = image["width"], image["height"]
    canvas = Image.new("I", (width, height), 1)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, height // 2, width, height), fill=2)
    classes = [*background, *(entry["category_id"] for entry in entries)]
    for number, entry in enumerate(entries, start=len(background) + 1):
        draw.polygon(entry["segmentation"][0], fill=number)
    ids = np.asarray(canvas, dtype=np.int32) * 1000  # so that all three bytes are used
    pairs = ((number * 1000, category) for number, category in enumerate(classes, start=1))
    return ids, [_segment(ids, number, category) for number, category in pairs if (ids == number).any()]


def _segment(ids: NDArray[np.int32], number: int, category: int) -> dict[str, Any]:
    rows, columns = np.nonzero(ids == number)
    x, y = int(columns.min()), int(rows.min())
    box = [x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y]
    return {"id": number, "category_id": category, "bbox": box, "area": len(rows), "iscrowd": 0}


def _stuff() -> tuple[str, ...]:
    from mmdet.datasets import CocoPanopticDataset  # here: it takes seconds

    return tuple(CocoPanopticDataset.METAINFO["stuff_classes"])
