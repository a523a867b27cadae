"""Labels are numbers: the classes must mean the same in training, in validation and in the model's heads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_def.assignments import OVERRIDES
from model_def.checks.labels import class_names, is_coco
from model_def.checks.place import place_of
from model_def.class_names import so_many
from model_def.compose.classes import OTHER_CLASSES
from model_def.compose.datasets import loader_datasets
from model_def.compose.tree import Path, dicts, dotted
from model_def.errors import DataError, Problem
from model_def.experiment_types import Experiment

SHOWN = 10  # classes in a message


def check_agreement(config: dict[str, Any], experiment: Experiment) -> str:
    """Compare the classes of the training data with those of validation and with the model; returns their number.

    Models that read the classes as text give them no numbers: they are left alone.

    Raises:
        DataError: with every place that disagrees.
    """
    known = [(path, class_names(one)) for path, one in loader_datasets(config, "train_dataloader") if is_coco(one)]
    named = [(path, names) for path, names in known if names]
    if not named or "language_model" in config["model"]:
        return "not looked at: the training data names no classes"
    path, names = named[0]
    others = [*named[1:], *((p, class_names(one)) for p, one in loader_datasets(config, "val_dataloader"))]
    problems = [
        *_orders(others, dotted(path), names, experiment),
        *_heads(config["model"], dotted(path), names, experiment),
    ]
    if problems:
        raise DataError.of(problems)
    return f"{so_many(len(names))}, the same in training, validation and model"


def _orders(
    others: list[tuple[Path, tuple[str, ...]]], place: str, names: tuple[str, ...], experiment: Experiment
) -> Iterator[Problem]:
    for path, found in others:
        if any(one != other for one, other in zip(names, found, strict=False)):  # one may have more than the other
            yield Problem(
                what=f"`{dotted(path)}` has other classes, or another order of them, than `{place}`",
                value=", ".join(found[:SHOWN]),
                where=place_of(experiment, dotted(path), "metainfo"),
                allowed=", ".join(names[:SHOWN]),
                next="write the same `metainfo.classes` for both, or use the `dataset` short form: it sets all of them",
            )


def _heads(model: dict[str, Any], place: str, names: tuple[str, ...], experiment: Experiment) -> Iterator[Problem]:
    for path, node in dicts(model):
        count = node.get("num_classes", len(names))
        if count != len(names) and isinstance(count, int) and not OTHER_CLASSES & {*path}:
            key = dotted(("model", *path, "num_classes"))
            yield Problem(
                what=f"`{key}` isn't the number of classes in `{place}`",
                value=count,
                where=experiment.where(*OVERRIDES, *key.split(".")),
                allowed=f"{len(names)}: {', '.join(names[:SHOWN])}",
                next=f"{key}={len(names)}, or use the `dataset` short form: it sets all of them",
            )
