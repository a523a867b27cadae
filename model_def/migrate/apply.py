"""An experiment that was written for mmdet 2.x, as one of today. Every change is said aloud."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from model_def.assignments import OVERRIDES
from model_def.compose.moments import Horizon
from model_def.errors import ConfigError
from model_def.experiment_types import Experiment, Length
from model_def.migrate import form
from model_def.migrate.length import by_epoch, training_images, whole_epochs
from model_def.migrate.meaning import Around
from model_def.migrate.overrides import Translated, leaves, problem, translate
from model_def.yaml_source import Place, Source, normal

LENGTHS = ("runner.max_epochs", "runner.max_iters", "total_epochs")  # with them the steps of mmdet 2.x stayed


def current(experiment: Experiment, config: Mapping[str, Any]) -> Experiment:
    """`experiment` with mmdet 2.x's keys in `override_mmdet_config` as today's, and a length in the config's unit.

    A new key has the line of the old one in later messages. What isn't mmdet 2.x's stays as it is.

    Args:
        config: the config files, without the overrides.

    Raises:
        ConfigError: every key whose meaning is gone, with the line to write instead.
    """
    hyperparameters = experiment.hyperparameters
    found = translate(hyperparameters.override_mmdet_config, _around(experiment, config))
    if found.refused:
        given = dict(leaf for item in hyperparameters.override_mmdet_config.items() for leaf in leaves(*item))
        where = experiment.where
        raise ConfigError.of(problem(one, given[one.old], where(*OVERRIDES, one.old)) for one in found.refused)
    schedule = hyperparameters.schedule or ("keep" if any(one.old in LENGTHS for one in found.meanings) else None)
    renewed = dataclasses.replace(
        experiment,
        hyperparameters=dataclasses.replace(hyperparameters, override_mmdet_config=found.overrides, schedule=schedule),
        source=_with_places(experiment.source, found),
        notes=(*experiment.notes, *form.notes(experiment.raw), *(one.note for one in found.meanings)),
    )
    return _in_epochs(renewed, config)


def _around(experiment: Experiment, config: Mapping[str, Any]) -> Around:
    searcher = experiment.searcher
    better = searcher.smaller_is_better
    return Around(config=config, old={}, metric=searcher.metric, smaller_is_better=better, seed=experiment.seed)


def _with_places(source: Source, found: Translated) -> Source:
    lines, assigned = dict(source.lines), dict(source.assigned)
    for one in found.meanings:
        old = normal((*OVERRIDES, one.old))
        places = [old[:length] for length in range(len(old), len(OVERRIDES), -1)]
        for written in [place for place in places if place in assigned or place in lines][:1]:
            known: dict[Place, Any] = assigned if written in assigned else lines
            known.update({normal((*OVERRIDES, key)): known[written] for key in one.new})
    return dataclasses.replace(source, lines=lines, assigned=assigned)


def _in_epochs(experiment: Experiment, config: Mapping[str, Any]) -> Experiment:
    """The old adapter counted batches whatever the config did."""
    length, size = experiment.searcher.max_length, experiment.hyperparameters.global_batch_size
    if length is None or length.unit != "batches" or not by_epoch(config):
        return experiment
    overrides = experiment.hyperparameters.override_mmdet_config
    images = training_images(config, overrides, experiment.directory)
    epochs = whole_epochs(length.value, images, size)
    if epochs is None:
        return experiment
    horizon = Horizon(length=epochs, epochs=True)
    note = f"searcher.max_length: {length.value} batches of {size} are {horizon} of {images} training images"
    searcher = dataclasses.replace(experiment.searcher, max_length=Length(unit="epochs", value=epochs))
    return dataclasses.replace(experiment, searcher=searcher, notes=(*experiment.notes, note))
