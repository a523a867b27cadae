"""The annotation file of COCO's unlabeled images that mmdet's semi-supervised configs read, and COCO doesn't have."""

from __future__ import annotations

import json
from typing import Any

from model_def.transfer.destination import Destination

MADE = "annotations/instances_unlabeled2017.json"
IMAGES = "annotations/image_info_unlabeled2017.json"
CATEGORIES = "annotations/instances_val2017.json"


def write_unlabeled(to: Destination) -> bool:
    """Write the unlabeled images with the categories of the labelled ones, unless that was done; whether it was now.

    Raises:
        OSError: the destination can't be read or written.
    """
    if MADE in to.sizes("annotations"):
        return False
    made = {**_read(to, IMAGES), "annotations": [], "categories": _read(to, CATEGORIES)["categories"]}
    body = json.dumps(made).encode()
    to.write(MADE, len(body), iter([body]))
    return True


def _read(to: Destination, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(b"".join(to.read(name)))
    return content
