"""The pictures that every kind of data shows: shapes on noise, few and small."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from model_def.datasets.coco import Picture
from model_def.datasets.made import draw_picture

COUNTS = {"train": 8, "val": 3}
# Both orientations: AspectRatioBatchSampler keeps them apart.
SIZES = ((128, 96), (96, 128))
MOST_OBJECTS, VAL_OBJECTS = 5, 3


def pictures(part: str, classes: int, *, seed: int = 0, scale: int = 1, fewest: int = 1) -> Iterator[Picture]:
    """The pictures of a part ("train" or "val"). Their labels are spread evenly over all classes.

    Args:
        scale: of the picture's sides, for data sets that ignore objects below a number of pixels.
        fewest: objects in a picture.
    """
    rng = np.random.default_rng((seed, list(COUNTS).index(part)))
    step, drawn = stride(classes), 0
    for index in range(COUNTS[part]):
        width, height = SIZES[index % len(SIZES)]
        objects = int(rng.integers(fewest, MOST_OBJECTS, endpoint=True))
        if part == "val":  # mmdet's `proposal_fast` makes one array of all pictures: they must have equally many
            objects = max(fewest, VAL_OBJECTS)
        labels = [(drawn + offset) * step % classes for offset in range(objects)]
        drawn += objects
        yield draw_picture((width * scale, height * scale), labels, rng, masks=True)


def stride(classes: int) -> int:
    """A step that visits all classes before it comes back: the largest one up to 0.4 of them without common factors."""
    return next(step for step in range(max(int(0.4 * classes), 1), 0, -1) if math.gcd(step, classes) == 1)
