"""COCO's form with any classes: boxes, masks, proposals, semantic and panoptic maps."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from model_def.datasets.coco import Picture
from tests.parity.data.made_data import Made, Node, class_names, objects, stored, write_parts
from tests.parity.data.panoptic import write_panoptic
from tests.parity.data.pictures import pictures
from tests.parity.data.semantic import write_semantic

PROPOSALS_AN_OBJECT = 8


def coco(node: Node, root: Path, part: str) -> Made:
    """CocoDataset and those that read its form under other class names."""
    if "unlabeled" in node["ann_file"]:
        return unlabelled(node, root, part)
    folder = stored(root, "coco", class_names(node), lambda folder: _fill(folder, class_names(node)))
    return Made(folder=folder, dataset=_keys(node, folder, part), evaluators=evaluators(folder, part))


def unlabelled(node: Node, root: Path, part: str) -> Made:
    """Other pictures. Their objects are in the file, as mmdet's tools/misc/split_coco.py leaves them there."""
    classes = class_names(node)
    folder = stored(root, "unlabelled", classes, lambda folder: write_parts(folder, classes, _others(len(classes))))
    return Made(folder=folder, dataset=_keys(node, folder, part))


def panoptic(node: Node, root: Path, part: str) -> Made:
    """CocoPanopticDataset: its things are the classes of the COCO files."""
    things = class_names({"type": "CocoDataset"})
    folder = stored(root, "coco", things, lambda folder: _fill(folder, things))
    keys = _keys(node, folder, part) | {"ann_file": str(folder / f"panoptic_{part}.json")}
    return Made(folder=folder, dataset=keys, evaluators=evaluators(folder, part))


def evaluators(folder: Path, part: str) -> dict[str, dict[str, Any]]:
    """Where an evaluator finds the truth about a part."""
    segments = {"ann_file": str(folder / f"panoptic_{part}.json"), "seg_prefix": str(folder / f"panoptic_{part}")}
    return {"": {"ann_file": str(folder / f"{part}.json")}, "CocoPanopticMetric": segments}


def _others(classes: int) -> Callable[[str], Iterable[Picture]]:
    return lambda part: pictures(part, classes, seed=1)


def _keys(node: Node, folder: Path, part: str) -> dict[str, Any]:
    keys = {"ann_file": str(folder / f"{part}.json"), "data_prefix.img": str(folder / part)}
    if maps := (node.get("data_prefix") or {}).get("seg"):
        keys["data_prefix.seg"] = str(folder / f"{'panoptic' if 'panoptic' in maps else 'semantic'}_{part}")
    if node.get("proposal_file"):
        keys["proposal_file"] = str(folder / f"proposals_{part}.pkl")
    return keys


def _fill(folder: Path, classes: tuple[str, ...]) -> None:
    for part, content in write_parts(folder, classes).items():
        write_semantic(folder, part, content)
        write_panoptic(folder, part, content)
        (folder / f"proposals_{part}.pkl").write_bytes(pickle.dumps(_proposals(part, content)))


def _proposals(part: str, content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By `folder/image`: boxes (n, 4) as x1, y1, x2, y2 near each object, and scores (n,) that fall."""
    rng, found = np.random.default_rng(0), {}
    for image, entries in objects(content):
        corners = [[x, y, x + width, y + height] for x, y, width, height in (entry["bbox"] for entry in entries)]
        boxes = np.repeat(np.array(corners), PROPOSALS_AN_OBJECT, axis=0)
        boxes = (boxes + rng.normal(0, 3, boxes.shape)).clip(0, [image["width"], image["height"]] * 2)
        scores = np.linspace(1, 0.1, len(boxes))
        found[f"{part}/{image['file_name']}"] = {"bboxes": boxes.astype(np.float32), "scores": scores}
    return found
