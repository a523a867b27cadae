"""Checks of the data before training, from the composed config alone: what would fail late, or train on nothing."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator

from mmengine.config import Config

from model_def.checks.classes import check_agreement
from model_def.checks.images import check_images
from model_def.checks.labels import check_evaluator, check_labels
from model_def.compose.datasets import annotation_file, evaluators, loader_datasets
from model_def.compose.tree import dotted
from model_def.errors import DataError, Problem
from model_def.experiment_types import Experiment

__all__ = ["Step", "check_data", "data_steps"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One named check of one data set or evaluator.

    Attributes:
        name: for a list of steps: `train_dataloader.dataset: annotations`.
        run: does the check; returns one line about what was found; raises DataError.
    """

    name: str
    run: Callable[[], str]


def data_steps(config: Config, experiment: Experiment) -> Iterator[Step]:
    """The checks of every data set of the config, through wrappers, and of the evaluators' files, in the right order.

    The test set isn't checked: training doesn't read it.
    """
    tree = config.to_dict()
    seen: list[object] = []
    for loader in ("train_dataloader", "val_dataloader"):
        for path, dataset in loader_datasets(tree, loader):
            files = (loader, *(dataset.get(key) for key in ("type", "data_root", "ann_file", "data_prefix")))
            if files in seen:
                continue
            seen.append(files)
            place = dotted(path)
            yield Step(name=f"{place}: annotations", run=functools.partial(check_labels, dataset, place, experiment))
            yield Step(name=f"{place}: images", run=functools.partial(check_images, dataset, place, experiment))
    looked_at = [annotation_file(dataset) for _, dataset in loader_datasets(tree, "val_dataloader")]
    for path, evaluator in evaluators(tree, "val_evaluator"):
        if evaluator.get("ann_file") and evaluator["ann_file"] not in looked_at:
            place = dotted(path)
            yield Step(name=place, run=functools.partial(check_evaluator, evaluator, place, experiment))
    yield Step(name="classes", run=functools.partial(check_agreement, tree, experiment))


def check_data(config: Config, experiment: Experiment) -> None:
    """Run every step.

    Raises:
        DataError: with all that is wrong.
    """
    problems: list[Problem] = []
    for step in data_steps(config, experiment):
        try:
            step.run()
        except DataError as error:
            problems.extend(problem for problem in error.problems if problem not in problems)
    if problems:
        raise DataError.of(problems)
