"""ODVG: one JSON object a line; boxes with labels and a label map, or a sentence and the boxes of its phrases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.parity.data.made_data import Made, Node, class_names, objects, stored, write_json, write_parts
from tests.parity.data.openimages import CLASSES as OPEN_IMAGES
from tests.parity.data.sentences import SHAPES, sentence
from tests.parity.data.v3det import CLASSES as V3DET

# By a piece of the label map's name; where it says nothing, the shapes are the classes.
VOCABULARIES: dict[str, Callable[[], tuple[str, ...]]] = {
    "coco2017": lambda: class_names({"type": "CocoDataset"}),
    "o365v1": lambda: class_names({"type": "Objects365V1Dataset"}),
    "o365v2": lambda: class_names({"type": "Objects365V2Dataset"}),
    "lvis_v1": lambda: class_names({"type": "LVISV1Dataset"}),
    "openimages": lambda: tuple(f"made {number}" for number in range(OPEN_IMAGES)),
    "v3det": lambda: V3DET,
}


def odvg(node: Node, root: Path, part: str) -> Made:
    """ODVGDataset: boxes with labels where it has a label map, else with phrases of a sentence."""
    labels = node.get("label_map_file")
    classes = next((names() for key, names in VOCABULARIES.items() if key in (labels or "")), SHAPES)
    folder = stored(root, "odvg", classes, lambda folder: _fill(folder, classes))
    keys = {"ann_file": str(folder / f"{part}_{'od' if labels else 'vg'}.json")}
    keys["data_prefix.img"] = str(folder / part)
    if labels:
        keys["label_map_file"] = str(folder / "label_map.json")
    for place, transform in enumerate(node.get("pipeline") or ()):
        if transform.get("label_map_file"):  # RandomSamplingNegPos draws other classes from it
            keys[f"pipeline.{place}.label_map_file"] = str(folder / "label_map.json")
    return Made(folder=folder, dataset=keys, evaluators={"": {"img_prefix": str(folder / part)}})


def _fill(folder: Path, classes: tuple[str, ...]) -> None:
    write_json(folder / "label_map.json", {str(index): name for index, name in enumerate(classes)})
    for part, content in write_parts(folder, classes).items():
        lines: dict[str, list[str]] = {"od": [], "vg": []}
        for image, entries in objects(content):
            about = {"filename": image["file_name"], "height": image["height"], "width": image["width"]}
            instances = [_instance(entry, classes) for entry in entries]
            lines["od"].append(json.dumps({**about, "detection": {"instances": instances}}))
            lines["vg"].append(json.dumps({**about, "grounding": _grounding(entries)}))
        for form, text in lines.items():
            (folder / f"{part}_{form}.json").write_text("\n".join(text) + "\n")


def _instance(entry: dict[str, Any], classes: tuple[str, ...]) -> dict[str, Any]:
    label = entry["category_id"] - 1
    return {"bbox": _corners(entry), "label": label, "category": classes[label]}


def _grounding(entries: list[dict[str, Any]]) -> dict[str, Any]:
    caption, spans = sentence(entries)
    pairs = zip(entries, spans, strict=True)
    regions = [
        {"bbox": _corners(entry), "phrase": caption[slice(*span)], "tokens_positive": [span]} for entry, span in pairs
    ]
    return {"caption": caption, "regions": regions}


def _corners(entry: dict[str, Any]) -> list[float]:
    x, y, width, height = entry["bbox"]
    return [x, y, x + width, y + height]
