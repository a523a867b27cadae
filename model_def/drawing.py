"""Draws boxes on images."""

from __future__ import annotations

import colorsys
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_SIDE = 400  # smaller images are enlarged to it: boxes stay thin and their scores legible
_BAR = 22  # height of a caption, in pixels
_GAP = 6
_FONT = 11


@dataclasses.dataclass(frozen=True, kw_only=True)
class Box:
    """One object: `bbox` is x1, y1, x2, y2 in pixels; the truth has no score; `mask` is (height, width), bool."""

    label: str
    bbox: tuple[float, ...]
    score: float | None = None
    mask: NDArray[np.bool_] | None = dataclasses.field(default=None, compare=False, repr=False)


def draw(
    pixels: NDArray[np.uint8], boxes: Iterable[Box], *, side: int | None = None, show_labels: bool = True
) -> Image.Image:
    """A picture of an image (height, width, 3; BGR) with its boxes; the surest come first in `boxes`.

    Args:
        side: the longer side of the picture, in pixels; the image's own unless that is small.
    """
    boxes = list(boxes)
    tinted = _tint(pixels[..., ::-1], boxes)
    longer = max(pixels.shape[:2])
    scale = (side or max(longer, _SIDE)) / longer
    size = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
    picture = Image.fromarray(tinted).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for box in boxes:
        pen.rectangle([corner * scale for corner in box.bbox], outline=colour(box.label), width=1)
    for box in reversed(boxes):  # the text of the surest stays on top
        if text := _text(box, show_label=show_labels):
            _write(pen, text, at=(box.bbox[0] * scale, box.bbox[1] * scale))
    return picture


def captioned(picture: Image.Image, caption: str) -> Image.Image:
    """The picture below a line of text."""
    framed = Image.new("RGB", (picture.width, picture.height + _BAR), "white")
    framed.paste(picture, (0, _BAR))
    ImageDraw.Draw(framed).text((4, 4), caption, fill="black", font=ImageFont.load_default(_FONT + 2))
    return framed


def grid(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Pictures in rows, each cell as large as the largest picture."""
    width = max(picture.width for row in rows for picture in row) + _GAP
    height = max(picture.height for row in rows for picture in row) + _GAP
    sheet = Image.new("RGB", (width * max(map(len, rows)) - _GAP, height * len(rows) - _GAP), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            sheet.paste(picture, (x * width, y * height))
    return sheet


def save(picture: Image.Image, to: Path) -> None:
    """Write a PNG of 256 colours: a third of the size, and the eye sees no difference."""
    to.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(256).save(to, optimize=True)


def colour(label: str) -> tuple[int, int, int]:
    """A bright colour for a class, the same in every picture."""
    number = int.from_bytes(label.encode(), "big") % 997
    hue = (0.15 + number * 0.618034) % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _tint(pixels: NDArray[np.uint8], boxes: Sequence[Box]) -> NDArray[np.uint8]:
    tinted = np.array(pixels)
    for box in boxes:
        if box.mask is not None:
            tinted[box.mask] = tinted[box.mask] // 2 + np.array(colour(box.label), dtype=np.uint8) // 2
    return tinted


def _text(box: Box, *, show_label: bool) -> str:
    score = "" if box.score is None else f".{min(99, round(100 * box.score)):02}"
    return f"{box.label} {score}".strip() if show_label else score


def _write(pen: Any, text: str, *, at: tuple[float, float]) -> None:
    """Text on the box's upper edge, on a dark ground so that it can be read on any photograph."""
    font = ImageFont.load_default(_FONT)
    corner = at[0] + 1, max(0.0, at[1] - _FONT / 2)
    pen.rectangle(pen.textbbox(corner, text, font=font), fill=(0, 0, 0))
    pen.text(corner, text, fill="white", font=font)
