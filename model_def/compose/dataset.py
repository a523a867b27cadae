"""The `dataset` short form: data sets, evaluators and class counts from a handful of keys."""

from __future__ import annotations

import copy
import os.path
from collections.abc import Iterator
from typing import Any

from model_def.annotations import Annotations, read_coco
from model_def.compose.classes import Classes, with_classes
from model_def.compose.components import classes_of, component
from model_def.compose.datasets import entries, is_local, replace_innermost
from model_def.compose.storage import located
from model_def.compose.suited import PANOPTIC, PLACE, unsuited
from model_def.errors import ConfigError
from model_def.experiment_types import Dataset, Experiment, Split
from model_def.files import can_be_read, on_disk

# Which evaluator reads the annotation files of which data set, its subclasses included. The first that fits counts.
EVALUATORS = {
    PANOPTIC: "CocoPanopticMetric",
    "LVISV05Dataset": "LVISMetric",
    "CocoDataset": "CocoMetric",
    "XMLDataset": "VOCMetric",
}
# What a data set doesn't keep of the config's own.
ABOUT_CLASSES = ("caption_prompt", "label_map_file")


def apply_dataset(config: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """`config` with the experiment's data set for training, validation and test, or unchanged if it has none.

    Raises:
        ConfigError: the config learns from more, or from something else, than the short form describes.
        DataError: the classes have to be read from the annotation file, and it can't be.
    """
    dataset = experiment.hyperparameters.dataset
    if dataset is None:
        return config
    if problems := list(unsuited(config, experiment)):
        raise ConfigError.of(problems)
    classes = _classes(dataset, experiment)
    result = dict(config)
    result["train_dataloader"] = _loader(config, "train_dataloader", dataset, dataset.train, classes)
    if config.get("val_dataloader"):
        result["val_dataloader"] = _loader(config, "val_dataloader", dataset, dataset.val, classes)
        result["val_evaluator"] = _evaluator(config.get("val_evaluator"), dataset, dataset.val)
        test = dataset.test or dataset.val
        result["test_dataloader"] = _loader(config, "val_dataloader", dataset, test, classes)
        result["test_evaluator"] = _evaluator(config.get("val_evaluator"), dataset, test)
    stuff = None if classes.stuff is None else len(classes.stuff)
    result["model"] = with_classes(config["model"], len(classes.things), stuff)
    return result


def dataset_notes(before: dict[str, Any], after: dict[str, Any], experiment: Experiment) -> Iterator[str]:
    """What the short form has left out of the config `before` it, which is worth a word."""
    if experiment.hyperparameters.dataset is None or not before.get("val_dataloader"):
        return
    left = [entry.get("type") for entry in entries(after["val_evaluator"])]
    gone = [str(name) for entry in entries(before.get("val_evaluator")) if (name := entry.get("type")) not in left]
    if left and gone:
        yield f"dataset: {', '.join(map(str, left))} evaluates it; {', '.join(gone)} of the config is left out"


def _classes(dataset: Dataset, experiment: Experiment) -> Classes:
    panoptic = _kind(dataset.type) == PANOPTIC
    if dataset.classes and not panoptic:
        return Classes(things=dataset.classes)
    where = experiment.where(*PLACE, "train", "ann_file")
    name, backend_args = located(os.path.join(dataset.root, dataset.train.ann_file), experiment)
    if _kind(dataset.type) in (None, "XMLDataset") or not can_be_read(name):
        raise ConfigError(
            what="the names of the classes can't be read from these annotations",
            value=dataset.type if is_local(name) else name,
            where=experiment.where(*PLACE),
            allowed="an annotation file of COCO's form" + ("" if panoptic else ", or `classes`"),
            next="copy the file to this machine" if panoptic else "write `dataset.classes: [first, second]`",
        )
    with on_disk(name, backend_args, context=experiment.directory, where=where) as path:
        found = read_coco(path, where)
    return _panoptic(found, dataset, where) if panoptic else Classes(things=found.names)


def _panoptic(found: Annotations, dataset: Dataset, where: str) -> Classes:
    """mmdet's panoptic models number the things first, and its data set wants all classes."""
    things = tuple(name for name in found.names if name in found.things)
    stuff = tuple(name for name in found.names if name not in found.things)
    if things + stuff != found.names:
        raise ConfigError(
            what="the categories of a panoptic file must begin with all things (`isthing: 1`)",
            value=", ".join(found.names[:20]),
            where=where,
            allowed=", ".join([*things, *stuff][:20]),
            next="write the `categories` in that order",
        )
    if dataset.classes and dataset.classes != found.names:
        raise ConfigError(
            what="panoptic segments are learned for all classes of the annotation file",
            value=", ".join(dataset.classes[:20]),
            where=where,
            allowed=", ".join(found.names[:20]),
            next="remove `dataset.classes`",
        )
    return Classes(things=things, stuff=stuff)


def _kind(name: str) -> str | None:
    """The entry of `EVALUATORS` that a type of data set belongs to."""
    bases = {base.__name__ for found in classes_of(name) for base in found.__mro__}
    return next((known for known in EVALUATORS if known in bases), None)


def _loader(config: dict[str, Any], loader: str, dataset: Dataset, split: Split, classes: Classes) -> dict[str, Any]:
    def change(old: dict[str, Any]) -> dict[str, Any]:
        known = component(dataset.type)
        kept = {key: value for key, value in old.items() if known is None or known.accepts(key)}
        images = "sub_data_root" if _kind(dataset.type) == "XMLDataset" else "img"
        prefix = {images: split.img_prefix, **({"seg": split.seg_prefix} if split.seg_prefix else {})}
        return {
            **{key: copy.deepcopy(value) for key, value in kept.items() if key not in ABOUT_CLASSES},
            "type": dataset.type,
            "data_root": dataset.root,
            "ann_file": split.ann_file,
            "data_prefix": prefix,
            "metainfo": classes.metainfo(),
            # The names of the classes are what a text-prompted detector looks for.
            **({"return_classes": True} if "language_model" in config["model"] else {}),
        }

    return {**config[loader], "dataset": replace_innermost(config[loader]["dataset"], change)}


def _evaluator(evaluator: Any, dataset: Dataset, split: Split) -> Any:
    """The config's evaluators that can read the data set (or the one that can), with its annotation file."""
    given = [dict(entry) for entry in entries(evaluator or {})]
    wanted = EVALUATORS.get(_kind(dataset.type) or "")
    kept = [entry for entry in given if wanted in (None, entry.get("type"))]
    if wanted and not kept:
        kept = [{"type": wanted, **_metrics(wanted, given)}]
    for entry in kept:
        if (wanted and wanted != "VOCMetric") or "ann_file" in entry:
            entry["ann_file"] = os.path.join(dataset.root, split.ann_file)
        if split.seg_prefix and (wanted == "CocoPanopticMetric" or "seg_prefix" in entry):
            entry["seg_prefix"] = os.path.join(dataset.root, split.seg_prefix)
    return kept[0] if len(kept) == 1 else kept


def _metrics(wanted: str, given: list[dict[str, Any]]) -> dict[str, Any]:
    """Boxes, and masks if the config's own evaluators measure them."""
    if wanted not in ("CocoMetric", "LVISMetric"):
        return {}
    masks = any("segm" in str(entry.get("metric")) for entry in given)
    return {"metric": ["bbox", "segm"] if masks else "bbox"}
