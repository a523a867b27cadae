"""LVIS: COCO's form, with how often each class is seen and which classes were looked for in vain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.parity.data.made_data import Made, Node, class_names, stored, write_json, write_parts

FREQUENCIES = "rcf"  # rare, common, frequent
HOST = "http://images.cocodataset.org/"  # LVISV1Dataset takes it off again
ABSENT_AN_IMAGE = 5


def lvis(node: Node, root: Path, part: str) -> Made:
    """LVISV05Dataset and LVISV1Dataset: the one reads `file_name`, the other `coco_url`."""
    classes = class_names(node)
    folder = stored(root, "lvis", classes, lambda folder: _fill(folder, classes))
    ann_file = str(folder / f"{part}.json")
    images = str(folder / part) if "V05" in str(node["type"]) else str(folder)
    return Made(
        folder=folder,
        dataset={"ann_file": ann_file, "data_prefix.img": images},
        evaluators={"": {"ann_file": ann_file}},
    )


def _fill(folder: Path, classes: tuple[str, ...]) -> None:
    for part, content in write_parts(folder, classes).items():
        for category in content["categories"]:
            category |= _category(category["id"], content)
        for image in content["images"]:
            image |= _image(image, part, content, len(classes))
        write_json(folder / f"{part}.json", content)


def _category(number: int, content: dict[str, Any]) -> dict[str, Any]:
    entries = [entry for entry in content["annotations"] if entry["category_id"] == number]
    counts = {"instance_count": len(entries), "image_count": len({entry["image_id"] for entry in entries})}
    return {"frequency": FREQUENCIES[number % len(FREQUENCIES)], "synset": f"made.n.{number:04d}", **counts}


def _image(image: dict[str, Any], part: str, content: dict[str, Any], classes: int) -> dict[str, Any]:
    shown = {entry["category_id"] for entry in content["annotations"] if entry["image_id"] == image["id"]}
    absent = [number for number in range(1, classes + 1) if number not in shown]
    first = image["id"] * ABSENT_AN_IMAGE
    return {
        "coco_url": f"{HOST}{part}/{image['file_name']}",
        "neg_category_ids": absent[first : first + ABSENT_AN_IMAGE],
        "not_exhaustive_category_ids": sorted(shown)[:1],
    }
