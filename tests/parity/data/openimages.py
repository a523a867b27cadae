"""Open Images, and its challenge: tables of boxes, tables of labels, a hierarchy of classes."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity.data.made_data import Made, Node, objects, stored, write_json, write_parts

CLASSES = 601
CHALLENGE_CLASSES = 500
FLAGS = 5  # occluded, truncated, a group, a depiction, inside
GROUP_EVERY = 5  # boxes: some are groups
CHILDREN = 10  # classes below each class that has some

Row = Sequence[Any]


def open_images(node: Node, root: Path, part: str) -> Made:
    """OpenImagesDataset."""
    return _made(node, stored(root, "openimages", _names(CLASSES), _fill), part, "csv", "json")


def challenge(node: Node, root: Path, part: str) -> Made:
    """OpenImagesChallengeDataset."""
    return _made(node, stored(root, "challenge", _names(CHALLENGE_CLASSES), _fill_challenge), part, "txt", "np")


def _made(node: Node, folder: Path, part: str, boxes: str, hierarchy: str) -> Made:
    keys = {"ann_file": str(folder / f"{part}.{boxes}"), "data_prefix.img": str(folder / part)}
    keys |= {"label_file": str(folder / "labels.csv"), "hierarchy_file": str(folder / f"hierarchy.{hierarchy}")}
    keys["meta_file"] = str(folder / f"{part}_metas.pkl")
    if node.get("image_level_ann_file"):
        keys["image_level_ann_file"] = str(folder / f"{part}_labels.csv")
    return Made(folder=folder, dataset=keys)


def _names(count: int) -> tuple[str, ...]:
    return tuple(f"Made {number:03d}" for number in range(1, count + 1))


def _code(category: int) -> str:
    return f"/m/{category:04d}"


def _fill(folder: Path) -> None:
    names = _names(CLASSES)
    for part, content in _parts(folder, names).items():
        rows = [(image, entry) for image, entries in objects(content) for entry in entries]
        boxes = [[_stem(image), "made", _code(entry["category_id"]), 1, *_box(image, entry)] for image, entry in rows]
        _write(folder / f"{part}.csv", [[*row, *_flags(index)] for index, row in enumerate(boxes)])
        _write(folder / f"{part}_labels.csv", [row[:4] for row in boxes])
    _write(folder / "labels.csv", [[_code(number), name] for number, name in enumerate(names, 1)], header=False)
    write_json(folder / "hierarchy.json", _hierarchy(CLASSES))


def _fill_challenge(folder: Path) -> None:
    names = _names(CHALLENGE_CLASSES)
    for part, content in _parts(folder, names).items():
        lines, labels = [], []
        for image, entries in objects(content):
            lines += [image["file_name"], "made", str(len(entries))]
            lines += [_line(image, entry, index) for index, entry in enumerate(entries)]
            labels += [[_stem(image), _code(entry["category_id"]), 1] for entry in entries]
        (folder / f"{part}.txt").write_text("\n".join(lines) + "\n")
        _write(folder / f"{part}_labels.csv", labels)
    rows = [[_code(number), name, number] for number, name in enumerate(names, 1)]
    _write(folder / "labels.csv", rows, header=False)
    with (folder / "hierarchy.np").open("wb") as stream:  # its first row and column are of no class
        np.save(stream, np.eye(CHALLENGE_CLASSES + 1))


def _parts(folder: Path, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The parts, with images that end in `.jpg` as the datasets want it, and their sizes in `<part>_metas.pkl`."""
    found = write_parts(folder, names)
    for part, content in found.items():
        for image in content["images"]:
            old, image["file_name"] = image["file_name"], f"{_stem(image)}.jpg"
            (folder / part / old).rename(folder / part / image["file_name"])
        shapes = [
            {"filename": image["file_name"], "ori_shape": (image["height"], image["width"], 3)}
            for image in content["images"]
        ]
        (folder / f"{part}_metas.pkl").write_bytes(pickle.dumps(shapes))
    return found


def _stem(image: dict[str, Any]) -> str:
    return str(image["file_name"]).split(".")[0]


def _box(image: dict[str, Any], entry: dict[str, Any]) -> list[float]:
    """x1, x2, y1, y2 as parts of the image's sides."""
    x, y, width, height = entry["bbox"]
    return [x / image["width"], (x + width) / image["width"], y / image["height"], (y + height) / image["height"]]


def _line(image: dict[str, Any], entry: dict[str, Any], index: int) -> str:
    x1, x2, y1, y2 = _box(image, entry)
    return f"{entry['category_id']} {x1} {y1} {x2} {y2} {int(index % GROUP_EVERY == GROUP_EVERY - 1)}"


def _flags(index: int) -> list[int]:
    return [int(flag == 2 and index % GROUP_EVERY == GROUP_EVERY - 1) for flag in range(FLAGS)]


def _hierarchy(count: int) -> dict[str, Any]:
    """Every tenth class has those that follow it below it."""
    parents = []
    for first in range(1, count + 1, CHILDREN + 1):
        below = range(first + 1, min(first + CHILDREN, count) + 1)
        parents.append({"LabelName": _code(first), "Subcategory": [{"LabelName": _code(number)} for number in below]})
    return {"LabelName": "/m/entity", "Subcategory": parents}


def _write(path: Path, rows: Iterable[Row], *, header: bool = True) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([["ImageID"]] if header else [])
        writer.writerows(rows)
