"""An experiment becomes one complete mmengine config.

The order is fixed: `config_file` < `merge_config` < `dataset` < batch size, length and seed < `override_mmdet_config`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from model_def.assignments import OVERRIDES
from model_def.checkpoint_hook import checkpoint_notes
from model_def.compose import derive, require
from model_def.compose.dataset import apply_dataset
from model_def.compose.find import find_config, renaming_note
from model_def.compose.load import import_modules, load_config
from model_def.compose.origin import Layer, from_experiment, from_file, from_nowhere
from model_def.compose.override import override
from model_def.compose.tree import get, merged
from model_def.compose.write import write_config
from model_def.experiment import Experiment
from model_def.migrate.apply import current
from model_def.migrate.written import check_file

__all__ = ["Composed", "compose", "files", "write_config"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Composed:
    """The result.

    Attributes:
        config: complete: stock `Runner.from_cfg(config).train()` trains it with the same numbers.
        notes: what the user should know before training.
        layers: the steps that led to it, for `explain`.
    """

    config: Config
    notes: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()


def compose(experiment: Experiment, *, slots: int) -> Composed:
    """The config that `experiment` describes, for `slots` processes. Neither files nor inputs are changed.

    Raises:
        ConfigError: a config is missing or broken, a batch size doesn't divide, an override names nothing.
        DataError: class names have to be read from an annotation file that can't be read.
    """
    layers = [*files(experiment)]
    require.trainable(layers[-1].config, experiment)
    experiment = current(experiment, layers[-1].config)

    def lay(config: dict[str, Any], *place: str) -> dict[str, Any]:
        layers.append(from_experiment(lambda _: experiment.where(*place), config))
        return config

    config = lay(apply_dataset(layers[-1].config, experiment), "hyperparameters", "dataset")
    config = lay(derive.batch_size(config, experiment, slots), "hyperparameters", "global_batch_size")
    config, length_notes = derive.length(config, experiment)
    lay(config, "searcher", "max_length")
    before = lay(derive.seed(config, experiment), "reproducibility", "experiment_seed")
    config, override_notes = _overridden(before, experiment)
    layers.append(_overrides_layer(config, experiment))
    require.derived(before, config, experiment)
    config = derive.complete(derive.test_as_val(before, config), experiment)
    layers.append(from_nowhere("a complete config has it", config))
    for check in (require.trainable, require.whole, require.device, require.not_resumed):
        check(config, experiment)
    notes = (
        *_renamed(experiment),
        *experiment.notes,
        *length_notes,
        *override_notes,
        *derive.milestones_note(config, get(before, "train_cfg.max_epochs")),
        *checkpoint_notes(get(config, "default_hooks.checkpoint")),
    )
    return Composed(config=Config(config), notes=notes, layers=tuple(layers))


def files(experiment: Experiment) -> Iterator[Layer]:
    """`config_file` with every `merge_config` laid over it, in order."""
    config: dict[str, Any] = {}
    for name, where in _named(experiment):
        path = find_config(name, context=experiment.directory, where=where)
        loaded = load_config(path, context=experiment.directory, where=where)
        check_file(loaded, config, name, where)
        config = merged(config, loaded)
        yield from_file(path, config)


def _named(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """The name and the place of every config file that the experiment gives."""
    yield experiment.hyperparameters.config_file, experiment.where("hyperparameters", "config_file")
    for index, name in enumerate(experiment.hyperparameters.merge_config):
        yield name, experiment.where("hyperparameters", "merge_config", index)


def _renamed(experiment: Experiment) -> Iterator[str]:
    for name, where in _named(experiment):
        if note := renaming_note(name, find_config(name, context=experiment.directory, where=where)):
            yield note


def _overrides_layer(config: dict[str, Any], experiment: Experiment) -> Layer:
    return from_experiment(
        lambda path: experiment.where(*OVERRIDES, *path),
        config,
        gives=lambda path: experiment.source.has(*OVERRIDES, *path),
    )


def _overridden(config: dict[str, Any], experiment: Experiment) -> tuple[dict[str, Any], tuple[str, ...]]:
    where = functools.partial(experiment.where, *OVERRIDES)
    overrides = experiment.hyperparameters.override_mmdet_config
    imports = {key: value for key, value in overrides.items() if str(key).split(".")[0] == "custom_imports"}
    if imports:  # first: the other overrides may name what these modules register
        config, _ = override(config, imports, where)
        import_modules(config["custom_imports"], context=experiment.directory, where=where("custom_imports"))
    return override(config, {key: value for key, value in overrides.items() if key not in imports}, where)
