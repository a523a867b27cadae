"""CrowdHuman: one JSON object a line, with the body, its visible part and the head of each person."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.parity.data.made_data import Made, Node, class_names, objects, stored, write_json, write_parts
from tests.parity.data.pictures import pictures

FEWEST = 2  # persons in a picture: CrowdDet's assigner looks for the two nearest
IGNORED_EVERY = 4  # persons: some are marked as not to be looked for


def crowdhuman(node: Node, root: Path, part: str) -> Made:
    """CrowdHumanDataset. The sizes of the images are there too: else mmdet would write that file while training."""
    classes = class_names(node)
    folder = stored(root, "crowdhuman", classes, lambda folder: _fill(folder, classes))
    ann_file = str(folder / f"annotation_{part}.odgt")
    keys = {"ann_file": ann_file, "data_prefix.img": str(folder / "Images")}
    return Made(folder=folder, dataset=keys, evaluators={"": {"ann_file": ann_file}})


def _fill(folder: Path, classes: tuple[str, ...]) -> None:
    images = folder / "Images"
    images.mkdir()
    parts = write_parts(folder, classes, lambda part: pictures(part, len(classes), fewest=FEWEST))
    for part, content in parts.items():
        lines, sizes = [], {}
        for image, entries in objects(content):
            name = f"{part},{image['id']:06d}"
            (folder / part / image["file_name"]).rename(images / f"{name}.jpg")  # what CrowdHumanDataset looks for
            lines.append(json.dumps({"ID": name, "gtboxes": [_person(entry, classes) for entry in entries]}))
            sizes[name] = [image["height"], image["width"]]
        (folder / f"annotation_{part}.odgt").write_text("\n".join(lines) + "\n")
        write_json(folder / f"id_hw_{part}.json", sizes)
        shutil.rmtree(folder / part)


def _person(entry: dict[str, Any], classes: tuple[str, ...]) -> dict[str, Any]:
    x, y, width, height = entry["bbox"]
    head, seen = [x, y, width / 2, height / 3], [x, y, width, height * 0.8]
    ignored = {"ignore": int(entry["id"] % IGNORED_EVERY == 0)}
    return {
        "tag": classes[entry["category_id"] - 1],
        "fbox": entry["bbox"],
        "vbox": seen,
        "hbox": head,
        "head_attr": {"ignore": 0, "occ": 0, "unsure": 0},
        "extra": ignored,
    }
