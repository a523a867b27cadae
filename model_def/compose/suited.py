"""Which configs the `dataset` short form can't give another data set: each refusal with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_def.compose.components import classes_of, nearest_types
from model_def.compose.datasets import loader_datasets
from model_def.compose.override import flatten
from model_def.compose.tree import dicts, type_name
from model_def.errors import Problem
from model_def.experiment_types import Experiment
from model_def.fields import did_you_mean

PLACE = ("hyperparameters", "dataset")
PANOPTIC = "CocoPanopticDataset"
ALLOWED = "configs that learn boxes, masks or panoptic segments from images, one training set at a time"
BY_HAND = "write the data sets and evaluators in a `merge_config`, or choose another config: python -m model_def ls"


def unsuited(config: dict[str, Any], experiment: Experiment) -> Iterator[Problem]:
    """Everything that `config` needs and the experiment's `dataset` doesn't give it."""
    dataset = experiment.hyperparameters.dataset
    if dataset is None:
        return
    where = experiment.where(*PLACE)
    yield from _wrong_type(dataset.type, experiment.where(*PLACE, "type"))
    if sources := several_sources(config):
        next_step = "write `override_mmdet_config: {train_dataloader.dataset.datasets.0.ann_file: …}` for each of them"
        yield _problem("it has one training set, and this config trains on several at once", sources, where, next_step)
        return
    if other := _no_detection(config):
        yield _problem("it is for objects in images, and this config's data is something else", other, where)
        return
    types = {type_name(node) for _, node in dicts(config["train_dataloader"]["dataset"])}
    if "RandomSamplingNegPos" in types:
        next_step = "config_file=mm_grounding_dino/grounding_dino_swin-t_finetune_8xb4_20e_cat.py is for classes"
        yield _problem("it has classes, and this config learns from phrases", "RandomSamplingNegPos", where, next_step)
    yield from _panoptic("LoadPanopticAnnotations" in types, dataset.type, experiment)
    if dataset.train.seg_prefix is None and any(node.get("with_seg") for node in _loading(config)):
        next_step = "write `dataset.train.seg_prefix: folder`, or choose a config without `with_seg`"
        yield _problem("this config learns from a map of classes for each image as well", "with_seg", where, next_step)
    yield from _own_files(config, experiment)


def _own_files(config: dict[str, Any], experiment: Experiment) -> Iterator[Problem]:
    """Files that belong to the config's own data, unless an override names others."""
    where, next_step = experiment.where(*PLACE), "override `{}` with your own, or choose another config"
    proposals = next((n["proposal_file"] for _, n in dicts(config["train_dataloader"]) if n.get("proposal_file")), None)
    if proposals and not _overridden(experiment, "proposal_file"):
        why = "this config trains on boxes that another model has proposed, for the images of its own data"
        yield _problem(why, proposals, where, next_step.format("proposal_file"))
    teacher = config["model"].get("teacher_ckpt")
    if teacher and "teacher_bbox_head" in config["model"] and not _overridden(experiment, "teacher_ckpt"):
        why = "this config learns from a teacher that knows the classes of its own data"
        yield _problem(why, teacher, where, next_step.format("model.teacher_ckpt"))


def _problem(why: str, value: Any, where: str, next_step: str = BY_HAND) -> Problem:
    what = f"the `dataset` short form can't be used here: {why}"
    return Problem(what=what, value=value, where=where, allowed=ALLOWED, next=next_step)


def _wrong_type(name: str, where: str) -> Iterator[Problem]:
    allowed = f"CocoDataset, {PANOPTIC}, another of mmdet's data sets of boxes, or one of your `custom_imports`"
    if not classes_of(name):
        near = did_you_mean([near for near in nearest_types(name) if near.endswith("Dataset")])
        what = "no data set is registered under that name"
        yield Problem(what=what, value=name, where=where, allowed=allowed, next=near or "type: CocoDataset")
    elif _other_data(name):
        what = "this data set has no boxes"
        yield Problem(what=what, value=name, where=where, allowed=allowed, next="type: CocoDataset")


def several_sources(config: dict[str, Any]) -> str:
    """The type of the sampler that mixes several training sets, or ""."""
    sampler = str((config["train_dataloader"].get("sampler") or {}).get("type"))
    return sampler if "MultiSource" in sampler else ""


def _no_detection(config: dict[str, Any]) -> str:
    """The type of the first data set that is about videos, identities or captions, or ""."""
    types = (
        dataset.get("type")
        for loader in ("train_dataloader", "val_dataloader")
        for _, dataset in loader_datasets(config, loader)
    )
    return next((str(kind) for kind in types if _other_data(kind)), "")


def _other_data(kind: Any) -> bool:
    """Whether it is mmdet's or mmpretrain's, and not for detection. Nobody knows what a user's own is."""
    from mmdet.datasets import BaseDetDataset  # heavy: seconds

    known = [each for each in classes_of(kind) if each.__module__.startswith(("mmdet.", "mmpretrain."))]
    return any(not issubclass(each, BaseDetDataset) for each in known)


def _panoptic(wanted: bool, kind: str, experiment: Experiment) -> Iterator[Problem]:
    if wanted == any(base.__name__ == PANOPTIC for found in classes_of(kind) for base in found.__mro__):
        return
    why = "this config learns panoptic segments" if wanted else "this config learns no panoptic segments"
    write = f"type: {PANOPTIC}" if wanted else "type: CocoDataset"
    yield _problem(why, kind, experiment.where(*PLACE, "type"), f"write `dataset.{write}`, or choose another config")


def _loading(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of the training pipelines that load annotations."""
    nodes = (node for _, node in dicts(config["train_dataloader"]["dataset"]))
    return [node for node in nodes if type_name(node) == "LoadAnnotations"]


def _overridden(experiment: Experiment, key: str) -> bool:
    return any(item.parts[-1] == key for item in flatten(experiment.hyperparameters.override_mmdet_config))
