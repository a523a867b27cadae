"""A class for each pixel, as in COCO's stuffthingmaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from tests.parity.data.made_data import objects

STUFF, IGNORED = (92, 150), 255  # in COCO's maps stuff begins behind the 91 things


def write_semantic(folder: Path, part: str, content: dict[str, Any]) -> None:
    """Write `semantic_<part>/<image>.png`: things as their labels, two kinds of stuff, and a margin that is ignored."""
    target = folder / f"semantic_{part}"
    target.mkdir()
    for image, entries in objects(content):
        width, height = image["width"], image["height"]
        canvas = Image.new("L", (width, height), STUFF[0])
        draw = ImageDraw.Draw(canvas)
        draw.rectangle((0, height // 2, width, height), fill=STUFF[1])
        draw.rectangle((0, 0, 3, height), fill=IGNORED)
        for entry in entries:
            draw.polygon(entry["segmentation"][0], fill=(entry["category_id"] - 1) % STUFF[0])
        canvas.save(target / image["file_name"])
