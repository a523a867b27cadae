"""Annotations: they exist, are COCO, and leave something to learn from once classes and filter were applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_def.annotations import Annotations, Image, look_for, read_coco
from model_def.checks.place import place_of, require_root
from model_def.class_names import so_many
from model_def.compose.components import classes_of
from model_def.compose.datasets import annotation_file
from model_def.errors import DataError
from model_def.experiment_types import Experiment
from model_def.files import can_be_read, on_disk

ENTRY = 'annotations such as {"id": 1, "image_id": 1, "category_id": 1, "bbox": [x, y, width, height], "area": 99}'


def check_labels(dataset: dict[str, Any], place: str, experiment: Experiment) -> str:
    """Check the annotations of the innermost data set at the config path `place`; returns what was found, in one line.

    Raises:
        DataError: the file is missing or broken, or no annotation or image is left.
    """
    name = annotation_file(dataset)
    if not name or not can_be_read(name):
        return "not looked at: no annotation file that can be read here"
    require_root(dataset, place, experiment)
    where = place_of(experiment, place, "ann_file")
    with on_disk(name, dataset.get("backend_args"), context=experiment.directory, where=where) as path:
        return _check_labels(dataset, path, name.rpartition("/")[2], where)


def _check_labels(dataset: dict[str, Any], path: Path, name: str, where: str) -> str:
    if not is_coco(dataset):
        if not path.exists():
            raise DataError(what="the annotations are missing", value=str(path), where=where, next=look_for(path))
        return f"{name} is there"
    annotations = read_coco(path, where)
    if annotations.mistake:
        what = f"the annotation file isn't COCO: {annotations.mistake}"
        raise DataError(what=what, value=str(path), where=where, allowed=ENTRY, next="write the file again")
    _check_classes(annotations, class_names(dataset), name, where)
    left = remaining(annotations, dataset)
    _check_remaining(annotations, left, dataset, where)
    boxes = sum(sum(image.boxes.values()) for image in left)
    classes = class_names(dataset) or annotations.names
    return f"{name}: {len(left)} images, {boxes} boxes, {so_many(len(classes))}"


def check_evaluator(evaluator: dict[str, Any], place: str, experiment: Experiment) -> str:
    """Check that an evaluator, at the config path `place`, will find its annotations; returns what was found.

    Raises:
        DataError: the file is missing or broken.
    """
    name = evaluator["ann_file"]
    if not can_be_read(name):
        return "not looked at: no annotation file that can be read here"
    where = place_of(experiment, place, "ann_file")
    with on_disk(name, evaluator.get("backend_args"), context=experiment.directory, where=where) as path:
        if evaluator.get("type") == "CocoMetric":
            read_coco(path, where)
        elif not path.exists():
            raise DataError(what="the annotations are missing", value=str(path), where=where, next=look_for(path))
    return f"{name.rpartition('/')[2]} is there"


def is_coco(dataset: dict[str, Any]) -> bool:
    """Whether the data set reads its annotations as mmdet's CocoDataset does (some of its subclasses don't)."""
    from mmdet.datasets import CocoDataset

    own = ("load_data_list", "COCOAPI")
    return any(
        issubclass(found, CocoDataset) and all(getattr(found, name) is getattr(CocoDataset, name) for name in own)
        for found in classes_of(dataset.get("type"))
    )


def class_names(dataset: dict[str, Any]) -> tuple[str, ...]:
    """The classes that the data set tells apart: its `metainfo.classes`, else those of its type."""
    given = (dataset.get("metainfo") or {}).get("classes")
    own = next((getattr(found, "METAINFO", {}).get("classes") for found in classes_of(dataset.get("type"))), None)
    names = given or own or ()
    return (names,) if isinstance(names, str) else tuple(names)


def remaining(annotations: Annotations, dataset: dict[str, Any]) -> list[Image]:
    """The images that are left by `filter_cfg`, as CocoDataset.filter_data does it."""
    rules = dataset.get("filter_cfg")
    if not rules or dataset.get("test_mode"):
        return list(annotations.images)
    names = class_names(dataset) or annotations.names
    wanted = {key for key, name in annotations.categories.items() if name in names}
    keep_empty = not rules.get("filter_empty_gt", False)
    size = rules.get("min_size", 0)
    return [
        image
        for image in annotations.images
        if (keep_empty or wanted & image.boxes.keys()) and min(image.width or 0, image.height or 0) >= size
    ]


def _check_classes(annotations: Annotations, names: tuple[str, ...], file: str, where: str) -> None:
    absent = [name for name in names if name not in annotations.names]
    order = [name for name in annotations.names if name in names]
    allowed = f"names that {file} has: {', '.join(annotations.names[:30]) or '(none)'}"
    write = f"write `dataset.classes: [{', '.join(annotations.names[:30])}]`"
    if absent and len(absent) == len(names):
        what = "the classes filter out every annotation: the file has none of them"
    elif absent:
        # mmdet numbers the classes that it finds, so every label after an absent one would be another class's.
        what = f"{len(absent)} of {len(names)} classes are not in the annotation file"
    elif order != list(names):
        what = "the classes are in another order than in the annotation file, which is the order of mmdet's labels"
        absent, write = list(names), f"write `dataset.classes: [{', '.join(order)}]`"
    else:
        return
    raise DataError(what=what, value=", ".join(absent[:10]), where=where, allowed=allowed, next=write)


def _check_remaining(annotations: Annotations, left: list[Image], dataset: dict[str, Any], where: str) -> None:
    mistake, allowed, next_step = _what_is_left(annotations, left, dataset)
    if mistake:
        raise DataError(what=mistake, value=dataset.get("ann_file"), where=where, allowed=allowed, next=next_step)


def _what_is_left(annotations: Annotations, left: list[Image], dataset: dict[str, Any]) -> tuple[str, str, str]:
    """What is wrong (or ""), what is allowed, and what to do."""
    counts = {name: annotations.count(name) for name in annotations.names}
    rules, total = dataset.get("filter_cfg"), len(annotations.images)
    if not total:
        return "the data set is empty: the file lists no images", "one image or more", "write images into it"
    if any(image.width is None or image.height is None for image in annotations.images):
        entry = '{"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}'
        return "an image has no width or height in the annotation file", entry, "write both for every image"
    names, rules = class_names(dataset) or annotations.names, rules or {}
    if rules.get("filter_empty_gt") is False:  # images without boxes are wanted: to learn from without labels
        return "", "", ""
    if not sum(counts.values()):
        return "there are no boxes at all in the annotation file", "one annotation or more", "annotate some images"
    if not any(counts.get(name) for name in names):
        with_boxes = ", ".join(f"{name} ({count})" for name, count in counts.items() if count)
        what = "the classes filter out every annotation: none has a box"
        return what, f"classes with boxes: {with_boxes}", "choose other classes"
    if not left:
        what = f"the data set is empty: filter_cfg {rules} leaves none of {total} images"
        return (
            what,
            "a filter that leaves images",
            "lower `filter_cfg.min_size`, or set `filter_cfg.filter_empty_gt: false`",
        )
    return "", "", ""
