"""Made data: rectangles and ellipses on noise, in COCO form with any classes; for tests, and to try an experiment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model_def.datasets.coco import Picture, Split, write_split
from model_def.datasets.complete import DataSet, build_once

VERSION = 1  # of what this file makes; a new number rebuilds the data set
OBJECTS_AN_IMAGE = (1, 5)

# Annotation file and image folder of each part. "coco" is how the COCO download lies on disk.
LAYOUTS = {
    "plain": {"train": ("train.json", "train"), "val": ("val.json", "val")},
    "coco": {
        "train": ("annotations/instances_train2017.json", "train2017"),
        "val": ("annotations/instances_val2017.json", "val2017"),
    },
}


def made(
    root: Path,
    *,
    images: int = 8,
    val_images: int = 4,
    size: tuple[int, int] = (128, 128),
    classes: Sequence[str] = ("rectangle", "ellipse"),
    seed: int = 0,
    masks: bool = True,
    empty: int = 0,
    layout: str = "plain",
) -> DataSet:
    """Build a made data set at `root`.

    Args:
        images: pictures to train on.
        val_images: pictures to validate on.
        size: width and height in pixels.
        classes: names of the classes; labels go round, so that n objects show min(n, classes) of them.
        seed: the same seed gives the same pictures.
        masks: also write outlines (`segmentation`).
        empty: how many of the pictures of each part, the last ones, have no object.
        layout: "plain" (`train.json`, `train/`) or "coco" (`annotations/instances_train2017.json`, `train2017/`).

    Raises:
        DataError: `root` holds something else.
        OutputError: `root` can't be written.
    """
    counts = {"train": images, "val": val_images}
    settings = {"name": "made", "version": VERSION, "seed": seed, "images": counts, "size": list(size)}
    settings |= {"masks": masks, "empty": empty, "layout": layout}

    def pictures(part: int, count: int) -> Iterator[Picture]:
        rng = np.random.default_rng((seed, part))
        label = 0
        for index in range(count):
            objects = 0 if index >= count - empty else int(rng.integers(*OBJECTS_AN_IMAGE, endpoint=True))
            labels = [(label + offset) % len(classes) for offset in range(objects)]
            label += objects
            yield draw_picture(size, labels, rng, masks=masks)

    def fill(folder: Path) -> dict[str, Split]:
        return {
            name: write_split(
                folder,
                ann_file=ann_file,
                img_prefix=img_prefix,
                pictures=pictures(part, counts[name]),
                classes=classes,
            )
            for part, (name, (ann_file, img_prefix)) in enumerate(LAYOUTS[layout].items())
        }

    return build_once(root, settings=settings, classes=tuple(classes), fill=fill)


def draw_picture(size: tuple[int, int], labels: Sequence[int], rng: np.random.Generator, *, masks: bool) -> Picture:
    """One picture. Even labels are rectangles and odd ones ellipses, so that there is something to learn."""
    width, height = size
    canvas = Image.fromarray(rng.integers(0, 96, (height, width, 3), dtype=np.uint8))
    draw = ImageDraw.Draw(canvas)
    outlines = [_outline(size, label, rng) for label in labels]
    for outline in outlines:
        colour = tuple(int(part) for part in rng.integers(128, 256, 3))
        draw.polygon([(x, y) for x, y in outline.tolist()], fill=colour)
    boxes = np.array([[*outline.min(0), *outline.max(0)] for outline in outlines], dtype=float).reshape(-1, 4)
    polygons = [outline.ravel().tolist() for outline in outlines] if masks else []
    return Picture(pixels=np.asarray(canvas), boxes=boxes, labels=labels, polygons=polygons)


def _outline(size: tuple[int, int], label: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """The corners of a shape inside the picture: (4, 2) for a rectangle, (24, 2) for an ellipse; x, y in pixels."""
    sides = np.array(size)
    extent = rng.uniform(0.15, 0.5, 2) * sides
    corner = rng.uniform(0, 1, 2) * (sides - extent)
    if label % 2 == 0:
        unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    else:
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        unit = (1 + np.stack([np.cos(angles), np.sin(angles)], axis=1)) / 2
    outline: NDArray[np.float64] = np.round(corner + unit * extent, 2)
    return outline
