"""A training's learning rates beforehand: mmengine's own schedulers, run on an optimizer of one number.

A long training is shortened: many batches count as one, so that this takes milliseconds and the shape stays.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from mmdet.registry import PARAM_SCHEDULERS
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin, MultiStepLR, ReduceOnPlateauLR, StepLR
from torch.optim import SGD, Optimizer

TIMES = ("begin", "end", "T_max", "step_size", "total_steps", "milestones", "periods")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Length:
    """A training: all its batches, those of one epoch, and its epochs (None in a loop that counts iterations)."""

    total: int
    batches: int
    epochs: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scheduler:
    """One of mmengine's, with all its arguments but the optimizer."""

    kind: type
    arguments: dict[str, Any]

    def unit(self, length: Length) -> int:
        """How many batches lie between two of its steps."""
        return length.batches if self.arguments["by_epoch"] else 1


def scheduled(schedulers: Any, length: Length) -> list[Scheduler] | None:
    """The schedulers of the learning rate in a config's `param_scheduler`, with their ends.

    Returns:
        None if there is one that can't be run beforehand: somebody's own, or one that waits for a validation.
    """
    found = [schedulers] if isinstance(schedulers, Mapping) else list(schedulers or [])
    kinds = [_class(one["type"]) for one in found if isinstance(one, Mapping) and "type" in one]
    if len(kinds) < len(found) or not all(map(_is_known, kinds)):
        return None
    both = zip(kinds, found, strict=True)
    return [_scheduler(kind, one, length) for kind, one in both if issubclass(kind, LRSchedulerMixin)]


def run(schedulers: Sequence[Scheduler], rate: float, length: Length, every: int) -> Iterator[float]:
    """The rate of every so many batches, as ParamSchedulerHook sets it: after each batch, and after each epoch."""
    optimizer: Optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    built = [one.kind(optimizer, **_coarse(one.arguments, every)) for one in schedulers]
    optimizer.step()  # mmengine warns of schedulers that step before
    by_batch, by_epoch = ([one for one in built if one.by_epoch is wanted] for wanted in (False, True))
    epoch = 0
    for sample in range(math.ceil(length.total / every)):
        yield float(optimizer.param_groups[0]["lr"])
        for scheduler in by_batch:
            scheduler.step()
        while length.epochs is not None and (epoch + 1) * length.batches <= (sample + 1) * every:
            epoch += 1
            for scheduler in by_epoch:
                scheduler.step()


def steps(scheduler: Scheduler, length: Length) -> Iterator[int]:
    """The batches after which a scheduler makes a step."""
    config, unit = scheduler.arguments, scheduler.unit(length)
    begin, end = config.get("begin", 0), config["end"]
    moments: Sequence[int] = ()
    if issubclass(scheduler.kind, MultiStepLR):
        moments = config["milestones"]
    elif issubclass(scheduler.kind, StepLR):
        moments = range(config["step_size"], min(end - begin, length.total), config["step_size"])
    batches = ((begin + moment) * unit for moment in moments if begin + moment < end)
    return (batch for batch in batches if batch < length.total)


def _class(kind: Any) -> Any:
    return PARAM_SCHEDULERS.get(kind) if isinstance(kind, str) else kind


def _is_known(kind: Any) -> bool:
    ours = isinstance(kind, type) and kind.__module__.partition(".")[0] in ("mmengine", "mmdet")
    return ours and not issubclass(kind, ReduceOnPlateauLR)


def _scheduler(kind: type, config: Mapping[str, Any], length: Length) -> Scheduler:
    """With its `end`, and converted to batches as mmengine converts it."""
    by_epoch = config.get("by_epoch", True)
    arguments = {key: value for key, value in config.items() if key not in ("type", "_scope_")}
    arguments |= {"by_epoch": by_epoch, "end": config.get("end", (length.epochs or 1) if by_epoch else length.total)}
    if arguments.pop("convert_to_iter_based", False):
        arguments = {**_scaled(arguments, length.batches), "by_epoch": False}
    return Scheduler(kind=kind, arguments=arguments)


def _coarse(arguments: dict[str, Any], every: int) -> dict[str, Any]:
    """With `every` batches as one; what counts epochs stays."""
    if arguments["by_epoch"] or every == 1:
        return arguments
    arguments = _scaled(arguments, 1 / every)
    arguments["end"] = max(arguments["end"], arguments.get("begin", 0) + 2)  # fewer can't go from one rate to another
    return arguments


def _scaled(arguments: dict[str, Any], factor: float) -> dict[str, Any]:
    changed = {key: _times(arguments[key], factor) for key in TIMES if arguments.get(key) is not None}
    return {**arguments, **changed}


def _times(value: Any, factor: float) -> Any:
    return [_times(item, factor) for item in value] if isinstance(value, list | tuple) else round(value * factor)
