"""Cityscapes: COCO's form, and beside each image a map of the instances in it, which only CityScapesMetric reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tests.parity.data.made_data import Made, Node, class_names, objects, stored, write_json, write_parts

IMAGES, MAPS = "leftImg8bit", "gtFine"
# Cityscapes' own numbers of the classes that are counted.
NUMBERS = {
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
INSTANCES = 1000  # an instance is its class's number times this, and its own


def cityscapes(node: Node, root: Path, part: str) -> Made:
    """CityscapesDataset."""
    classes = class_names(node)
    folder = stored(root, "cityscapes", classes, lambda folder: _fill(folder, classes))
    ann_file = str(folder / f"{part}.json")
    keys = {"ann_file": ann_file, "data_prefix.img": str(folder / IMAGES / part)}
    maps = {"seg_prefix": str(folder / MAPS / part)}
    return Made(folder=folder, dataset=keys, evaluators={"": {"ann_file": ann_file}, "CityScapesMetric": maps})


def _fill(folder: Path, classes: tuple[str, ...]) -> None:
    for part, content in write_parts(folder, classes).items():
        for kind in (IMAGES, MAPS):
            (folder / kind / part).mkdir(parents=True)
        for image, entries in objects(content):
            old, stem = image["file_name"], Path(image["file_name"]).stem
            image["file_name"] = f"{stem}_{IMAGES}.png"
            (folder / part / old).rename(folder / IMAGES / part / image["file_name"])
            numbers = [NUMBERS[classes[entry["category_id"] - 1]] for entry in entries]
            _instances(image, entries, numbers).save(folder / MAPS / part / f"{stem}_{MAPS}_instanceIds.png")
        (folder / part).rmdir()
        write_json(folder / f"{part}.json", content)


def _instances(image: dict[str, Any], entries: list[dict[str, Any]], numbers: list[int]) -> Image.Image:
    canvas = Image.new("I", (image["width"], image["height"]), 0)
    draw = ImageDraw.Draw(canvas)
    for index, (entry, number) in enumerate(zip(entries, numbers, strict=True)):
        draw.polygon(entry["segmentation"][0], fill=number * INSTANCES + index)
    return Image.fromarray(np.asarray(canvas).astype(np.uint16))
