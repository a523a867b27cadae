"""The data set of three classes that every config of the zoo is given by the short form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.parity.data.coco import coco
from tests.parity.data.made_data import stored

CLASSES = ("ash", "fir", "oak")
STUFF = 2  # of the panoptic files


def short_form(root: Path, *, panoptic: bool = False, semantic: bool = False) -> dict[str, Any]:
    """The `dataset` of an experiment.

    Args:
        root: where made data is kept.
        panoptic: a segment for each pixel: the three classes are things, and there is some stuff.
        semantic: with a map of classes for each image.
    """
    folder = coco({"type": "CocoDataset", "metainfo": {"classes": CLASSES}, "ann_file": ""}, root, "train").folder
    if not panoptic:
        return {"root": str(folder), **{part: _split(part, semantic) for part in ("train", "val")}}
    root = stored(root, "panoptic", CLASSES, lambda into: _fewer_stuff(folder, into))
    splits = {
        part: {**_split(part, False), "ann_file": f"{part}.json", "seg_prefix": part} for part in ("train", "val")
    }
    for split in splits.values():
        split["img_prefix"] = str(folder / split["img_prefix"])
        split["seg_prefix"] = str(folder / f"panoptic_{split['seg_prefix']}")
    return {"type": "CocoPanopticDataset", "root": str(root), **splits}


def _split(part: str, semantic: bool) -> dict[str, str]:
    maps = {"seg_prefix": f"semantic_{part}"} if semantic else {}
    return {"ann_file": f"{part}.json", "img_prefix": part, **maps}


def _fewer_stuff(source: Path, into: Path) -> None:
    """The panoptic annotations with two classes of stuff only."""
    for part in ("train", "val"):
        content = json.loads((source / f"panoptic_{part}.json").read_text())
        content["categories"] = content["categories"][: len(CLASSES) + STUFF]
        known = [category["id"] for category in content["categories"]]
        for annotation in content["annotations"]:
            for segment in annotation["segments_info"]:
                if segment["category_id"] not in known:
                    segment["category_id"] = known[-1 - segment["category_id"] % STUFF]
        (into / f"{part}.json").write_text(json.dumps(content))
