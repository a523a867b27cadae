"""What every kind of data has in common: where it is, and which keys of a config point to it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from model_def.compose.tree import type_name
from model_def.datasets.coco import Picture, write_split
from model_def.datasets.complete import build_once
from tests.parity.data.pictures import COUNTS, pictures

VERSION = 2  # of what this package makes; a new number makes everything anew

Node = dict[str, Any]  # a dataset's config


@dataclasses.dataclass(frozen=True, kw_only=True)
class Made:
    """Where the data of a kind is, as keys below the dataset and below its evaluators.

    Attributes:
        folder: holds everything.
        dataset: keys of the dataset; `data_root` comes by itself.
        evaluators: keys by the evaluator's type; "" is for every type that isn't named. It gets those that it has.
    """

    folder: Path
    dataset: dict[str, Any]
    evaluators: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)


def stored(root: Path, name: str, classes: Sequence[str], fill: Callable[[Path], object]) -> Path:
    """The directory of a kind of data with these classes; `fill` makes it unless it is there, whole."""

    def filled(folder: Path) -> dict[str, Any]:
        fill(folder)
        return {}

    digest = hashlib.sha256(json.dumps(list(classes)).encode()).hexdigest()[:8]
    settings = {"name": name, "version": VERSION}
    return build_once(root / f"{name}-{digest}", settings=settings, classes=tuple(classes), fill=filled).root


def class_names(node: Node) -> tuple[str, ...]:
    """The classes of a dataset: those of its `metainfo`, else those that its type has."""
    import mmdet.datasets  # noqa: F401  # registers them
    from mmdet.registry import DATASETS  # here: it takes seconds

    given = (node.get("metainfo") or {}).get("classes")
    known = given or DATASETS.get(type_name(node)).METAINFO["classes"]
    return (known,) if isinstance(known, str) else tuple(known)


def write_parts(
    folder: Path, classes: Sequence[str], draw: Callable[[str], Iterable[Picture]] | None = None
) -> dict[str, dict[str, Any]]:
    """Write `train.json`, `val.json` in COCO's form and their images in `train/`, `val/`; the files' content."""
    found = {}
    for part in COUNTS:
        shown = draw(part) if draw else pictures(part, len(classes))
        split = write_split(folder, ann_file=f"{part}.json", img_prefix=part, pictures=shown, classes=classes)
        found[part] = json.loads((folder / split.ann_file).read_text())
    return found


def objects(content: dict[str, Any]) -> Iterable[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each image of a COCO file with its annotations."""
    for image in content["images"]:
        yield image, [entry for entry in content["annotations"] if entry["image_id"] == image["id"]]


def write_json(path: Path, content: Any) -> None:
    """One JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
