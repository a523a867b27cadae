"""The files that an experiment reads, from its data sets' own lists: no image is opened."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from mmdet.registry import DATASETS
from mmengine.registry import DefaultScope

from model_def.building import building
from model_def.compose import Composed
from model_def.compose.datasets import LOADERS, annotation_file, evaluators, loader_datasets, proposal_file
from model_def.compose.tree import dotted
from model_def.errors import DataError
from model_def.experiment_types import Experiment

EVALUATORS = ("val_evaluator", "test_evaluator")
IMAGES, LISTS = "images", "annotations"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group:
    """Files of one kind that one data set or evaluator reads.

    Attributes:
        place: its path in the config.
        kind: `images`, `seg_map` …, or `annotations` for what lists the others.
        paths: local ones, or URLs of objects.
        backend_args: what mmengine's backend for them is made from.
    """

    place: str
    kind: str
    paths: tuple[str, ...]
    backend_args: Mapping[str, Any] | None


def lists(config: Mapping[str, Any]) -> list[Group]:
    """Annotation and proposal files of every data set and evaluator: what has to be there before the rest is known."""
    return [group for group in _lists(config) if group.paths]


def _lists(config: Mapping[str, Any]) -> Iterator[Group]:
    for place, dataset in _datasets(config):
        yield _group(place, LISTS, [annotation_file(dataset), proposal_file(dataset)], dataset)
    known = {annotation_file(dataset) for _, dataset in _datasets(config)}
    for name in EVALUATORS:
        for _, evaluator in evaluators(dict(config), name):
            file = str(evaluator.get("ann_file") or "")
            if file not in known:
                known.add(file)
                yield _group(name, LISTS, [file], evaluator)


def referenced(composed: Composed, experiment: Experiment, *, left_out: set[str]) -> Iterator[Group]:
    """What the data sets list once their filters were applied, but for those of the places in `left_out`.

    Raises:
        ConfigError: a data set can't be built.
        DataError: it lists nothing.
    """
    config = composed.config.to_dict()
    scope = str(config.get("default_scope") or "mmdet")
    for place, dataset in _datasets(config):
        if place in left_out:
            continue
        with building("data set", composed, experiment), DefaultScope.overwrite_default_scope(scope):
            listed = DATASETS.build({**dataset, "pipeline": [], "lazy_init": True, "serialize_data": False})
            listed.full_init()
        paths: dict[str, dict[str, None]] = {}
        for entry in listed.data_list:
            for kind, path in _paths(entry):
                paths.setdefault(kind, {})[path] = None
        if not paths:
            what, next_step = (
                "the data set lists no images: its classes or its filter leave none",
                "python -m model_def check",
            )
            raise DataError(what=what, value=annotation_file(dataset), where=place, next=next_step)
        for kind, found in paths.items():
            yield _group(place, kind, list(found), _reader(dataset))


def _datasets(config: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The data sets of all loaders. One that lists the same files as one before, as a test set often, is left out."""
    seen: list[object] = []
    for loader in LOADERS:
        for path, dataset in loader_datasets(dict(config), loader):
            files = {key: value for key, value in dataset.items() if key != "pipeline"}
            if files not in seen:
                seen.append(files)
                yield dotted(path), dataset


def _paths(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The kind and the path of each file in an entry of a data set's list; a video's images, too."""
    for key, value in entry.items():
        if key.endswith("_path") and isinstance(value, str) and value:
            kind = key.removesuffix("_path")
            yield IMAGES if kind == "img" else kind, value
    for image in entry.get("images") or ():
        if isinstance(image, dict):
            yield from _paths(image)


def _reader(dataset: Mapping[str, Any]) -> Mapping[str, Any]:
    """What reads the images: the first transform with `backend_args`, else the data set itself."""
    transforms = [step for step in dataset.get("pipeline") or () if isinstance(step, dict)]
    return next((step for step in transforms if step.get("backend_args")), dataset)


def _group(place: str, kind: str, paths: list[Any], node: Mapping[str, Any]) -> Group:
    named = tuple(path for path in paths if isinstance(path, str) and path)
    return Group(place=place, kind=kind, paths=named, backend_args=node.get("backend_args"))
