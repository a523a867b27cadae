"""When the controller reports, validates and saves: the config's own moments and the experiment YAML's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from model_def.checkpoint_hook import is_translated
from model_def.experiment_types import Experiment, Length
from model_def.loop import Pump

Due = Callable[[int], bool]


def reports(experiment: Experiment, pump: Pump, stop_pending: Callable[[], bool]) -> Due:
    """Every `scheduling_unit` batches, and at once when something has asked for a stop."""

    def due(batches: int) -> bool:
        stop = stop_pending()  # asked after every batch on every process: it may be a collective
        return stop or pump.finished or batches % experiment.scheduling_unit == 0

    return due


def validations(experiment: Experiment, pump: Pump) -> Due:
    """When the train loop itself would validate (val_begin, val_interval, dynamic_intervals) or the YAML says so."""
    every = _period(experiment.min_validation_period, experiment, pump)
    return lambda batches: pump.validates_now or every(batches)


def checkpoints(experiment: Experiment, pump: Pump, hook: Mapping[str, Any] | None) -> Due:
    """When mmengine's CheckpointHook would save, or the YAML says so."""
    every = _period(experiment.min_checkpoint_period, experiment, pump)
    own = _hook_period(hook, pump) if hook and is_translated(hook) else _never
    return lambda batches: own(batches) or every(batches)


def _hook_period(hook: Mapping[str, Any], pump: Pump) -> Due:
    by_epoch = hook.get("by_epoch", True)
    if by_epoch and not pump.by_epoch:
        return _never  # the hook would see the end of training only, and that is saved in any case
    unit = len(pump) if by_epoch else 1
    interval, begin = hook.get("interval", -1) * unit, hook.get("save_begin", 0) * unit
    if interval <= 0:
        return _never
    return lambda batches: batches >= begin and (batches - begin) % interval == 0


def _period(length: Length | None, experiment: Experiment, pump: Pump) -> Due:
    if length is None or length.value < 1:  # Determined writes "never" as 0
        return _never
    batch = {
        "batches": length.value,
        "records": max(length.value // experiment.hyperparameters.global_batch_size, 1),
        "epochs": length.value * len(pump),
    }[length.unit]
    return lambda batches: batches % batch == 0


def _never(batches: int) -> bool:
    return False
