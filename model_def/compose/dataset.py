"""The `dataset` short form: data sets, evaluators and class counts from a handful of keys."""

from __future__ import annotations

import copy
import os.path
from typing import Any

from model_def.annotations import read_coco
from model_def.compose.components import component
from model_def.compose.datasets import is_local, local, replace_innermost
from model_def.compose.tree import dicts
from model_def.errors import ConfigError
from model_def.experiment import Dataset, Experiment, Split

# Which evaluator reads the annotation files of which data set.
EVALUATORS = {
    "CocoDataset": "CocoMetric",
    "CocoPanopticDataset": "CocoPanopticMetric",
    "LVISV1Dataset": "LVISMetric",
    "LVISV05Dataset": "LVISMetric",
}
# Heads whose classes are not those of the boxes.
OTHER_CLASSES = ("semantic_head", "reid", "track_head", "backbone")
PLACE = ("hyperparameters", "dataset")


def apply_dataset(config: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """`config` with the experiment's data set for training, validation and test, or unchanged if it has none.

    Raises:
        ConfigError: the config mixes data sets that the short form can't tell apart.
        DataError: the classes have to be read from the annotation file, and it can't be.
    """
    dataset = experiment.hyperparameters.dataset
    if dataset is None:
        return config
    _refuse_many_sources(config, experiment)
    classes = dataset.classes or _classes(dataset, experiment)
    result = dict(config)
    result["train_dataloader"] = _loader(config["train_dataloader"], dataset, dataset.train, classes)
    if config.get("val_dataloader"):
        result["val_dataloader"] = _loader(config["val_dataloader"], dataset, dataset.val, classes)
        result["val_evaluator"] = _evaluator(config.get("val_evaluator"), dataset, dataset.val)
        test = dataset.test or dataset.val
        result["test_dataloader"] = _loader(config["val_dataloader"], dataset, test, classes)
        result["test_evaluator"] = _evaluator(config.get("val_evaluator"), dataset, test)
    result["model"] = with_classes(config["model"], len(classes))
    return result


def with_classes(model: dict[str, Any], count: int) -> dict[str, Any]:
    """A copy of the model's config that tells `count` classes apart, wherever it has `num_classes`."""
    model = copy.deepcopy(model)
    for path, node in dicts(model):
        if "num_classes" in node and not set(path) & {*OTHER_CLASSES}:
            _resize_weights(node, before=node["num_classes"], after=count)
            node["num_classes"] = count
        if "num_things_classes" in node:
            stuff = node.get("num_stuff_classes", 0)
            _resize_weights(node, before=node["num_things_classes"] + stuff, after=count + stuff)
            node["num_things_classes"] = count
    return model


def _resize_weights(head: dict[str, Any], *, before: int, after: int) -> None:
    """One weight for each class in the head's losses; the last weight is the background's."""
    for loss in (value for value in head.values() if isinstance(value, dict)):
        weights = loss.get("class_weight")
        if isinstance(weights, list | tuple) and len(weights) == before + 1:
            loss["class_weight"] = [weights[0]] * after + [weights[-1]]


def _refuse_many_sources(config: dict[str, Any], experiment: Experiment) -> None:
    sampler = (config["train_dataloader"].get("sampler") or {}).get("type")
    if "MultiSource" in str(sampler):
        raise ConfigError(
            what="the `dataset` short form has one training set, and this config trains on several at once",
            value=sampler,
            where=experiment.where(*PLACE),
            allowed="configs with one training set",
            next="write `override_mmdet_config: {train_dataloader.dataset.datasets.0.ann_file: …}` for each of them",
        )


def _classes(dataset: Dataset, experiment: Experiment) -> tuple[str, ...]:
    where = experiment.where(*PLACE, "train", "ann_file")
    name = os.path.join(dataset.root, dataset.train.ann_file)
    if dataset.type not in EVALUATORS or not is_local(name):
        raise ConfigError(
            what="the names of the classes can't be read from these annotations",
            value=dataset.type if is_local(name) else name,
            where=experiment.where(*PLACE),
            allowed=f"a local annotation file and one of {', '.join(EVALUATORS)}, or `classes`",
            next="write `dataset.classes: [first, second]`",
        )
    return read_coco(local(name, experiment.directory), where).names


def _loader(loader: dict[str, Any], dataset: Dataset, split: Split, classes: tuple[str, ...]) -> dict[str, Any]:
    def change(old: dict[str, Any]) -> dict[str, Any]:
        known = component(dataset.type)
        kept = {key: value for key, value in old.items() if known is None or known.accepts(key)}
        prefix = {"img": split.img_prefix, **({"seg": split.seg_prefix} if split.seg_prefix else {})}
        return {
            **copy.deepcopy(kept),
            "type": dataset.type,
            "data_root": dataset.root,
            "ann_file": split.ann_file,
            "data_prefix": prefix,
            "metainfo": {"classes": classes},
        }

    return {**loader, "dataset": replace_innermost(loader["dataset"], change)}


def _evaluator(evaluator: Any, dataset: Dataset, split: Split) -> Any:
    """The config's evaluators that can read the data set (or the one that can), with its annotation file."""
    entries = [dict(entry) for entry in (evaluator if isinstance(evaluator, list | tuple) else [evaluator or {}])]
    wanted = EVALUATORS.get(dataset.type)
    kept = [entry for entry in entries if wanted in (None, entry.get("type"))]
    if not kept:
        masks = any("segm" in str(entry.get("metric")) for entry in entries)
        kept = [{"type": wanted, "metric": ["bbox", "segm"] if masks else "bbox", "format_only": False}]
    for entry in kept:
        if wanted or "ann_file" in entry:
            entry["ann_file"] = os.path.join(dataset.root, split.ann_file)
        if split.seg_prefix and "seg_prefix" in entry:
            entry["seg_prefix"] = os.path.join(dataset.root, split.seg_prefix)
    return kept[0] if len(kept) == 1 else kept
