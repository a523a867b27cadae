"""Cuts a rectangle of a photograph into square tiles, with the boxes that are still there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# A box stays in a tile if at least this part of its area is inside.
KEPT_PART = 0.5


class Rect(NamedTuple):
    """Pixels `left ≤ x < right`, `top ≤ y < bottom`."""

    left: int
    top: int
    right: int
    bottom: int


def spread_tiles(ground: Rect, *, tile: int, stride: int) -> Iterator[Rect]:
    """The fewest tiles, at most `stride` apart, that cover `ground` evenly from edge to edge; they may overlap."""
    xs = _spread(ground.left, ground.right, tile, stride)
    ys = _spread(ground.top, ground.bottom, tile, stride)
    return (Rect(x, y, x + tile, y + tile) for y in ys for x in xs)


def grid_tiles(ground: Rect, *, tile: int) -> Iterator[Rect]:
    """The whole tiles of a grid that starts at the top left of `ground`; they never overlap."""
    xs = range(ground.left, ground.right - tile + 1, tile)
    ys = range(ground.top, ground.bottom - tile + 1, tile)
    return (Rect(x, y, x + tile, y + tile) for y in ys for x in xs)


def _spread(start: int, end: int, tile: int, stride: int) -> list[int]:
    room = end - start - tile
    if room < 0:
        return []
    gaps = -(-room // stride)
    return [start + round(index * room / max(gaps, 1)) for index in range(gaps + 1)]


def cut_boxes(boxes: NDArray[np.float64], tile: Rect) -> NDArray[np.float64]:
    """The boxes of a photograph, (n, 4) x1 y1 x2 y2, as they lie in `tile`: (m, 4), clipped, in the tile's coordinates.

    A box of which more than half of the area was cut away is left out.
    """
    low, high = np.array([tile.left, tile.top] * 2), np.array([tile.right, tile.bottom] * 2)
    clipped = np.clip(boxes, low, high)
    kept = _areas(clipped) >= KEPT_PART * _areas(boxes)
    inside: NDArray[np.float64] = clipped[kept] - low
    return inside


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas
