"""An experiment becomes one complete mmengine config: `config_file` < `merge_config` < data set < batch size < overrides."""

from __future__ import annotations

import dataclasses
from typing import Any

from mmengine.config import Config

from model_def.compose import derive
from model_def.compose.dataset import apply_dataset
from model_def.compose.find import find_config
from model_def.compose.load import load_config
from model_def.compose.override import override
from model_def.compose.tree import get, merged
from model_def.compose.write import write_config
from model_def.experiment import Experiment

__all__ = ["Composed", "compose", "write_config"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Composed:
    """The result.

    Attributes:
        config: complete: stock `Runner.from_cfg(config).train()` trains it with the same numbers.
        notes: what the user should know before training.
    """

    config: Config
    notes: tuple[str, ...] = ()


def compose(experiment: Experiment, *, slots: int) -> Composed:
    """The config that `experiment` describes, for `slots` processes. Neither files nor inputs are changed.

    Raises:
        ConfigError: a config is missing or broken, a batch size doesn't divide, an override names nothing.
        DataError: class names have to be read from an annotation file that can't be read.
    """
    config = layers(experiment)
    derive.require_training(config, experiment)
    config = apply_dataset(config, experiment)
    config = derive.batch_size(config, experiment, slots)
    config, length_notes = derive.length(config, experiment)
    config = derive.seed(config, experiment)
    epochs = get(config, "train_cfg.max_epochs")
    config, override_notes = override(config, experiment.hyperparameters.override_mmdet_config, _where(experiment))
    config = derive.complete(config, experiment)
    derive.require_training(config, experiment)
    derive.require_device(config, experiment)
    notes = (*experiment.notes, *length_notes, *override_notes, *derive.milestones_note(config, epochs))
    return Composed(config=Config(config), notes=notes)


def layers(experiment: Experiment) -> dict[str, Any]:
    """`config_file` with every `merge_config` laid over it, in order."""
    names = [(experiment.hyperparameters.config_file, experiment.where("hyperparameters", "config_file"))]
    for index, name in enumerate(experiment.hyperparameters.merge_config):
        names.append((name, experiment.where("hyperparameters", "merge_config", index)))
    config: dict[str, Any] = {}
    for name, where in names:
        path = find_config(name, context=experiment.directory, where=where)
        config = merged(config, load_config(path, context=experiment.directory, where=where))
    return config


def _where(experiment: Experiment) -> Any:
    return lambda *parts: experiment.where("hyperparameters", "override_mmdet_config", *parts)
