"""A schedule of a few epochs or iterations in which everything happens that happens in the config's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from model_def.compose.tree import dicts

EPOCHS, ITERATIONS = 2, 10
WARM_UP = 3  # iterations
SOONER = {"initial_epoch": 1, "update_iter_interval": 3, "num_iters": 3}

Scale = Callable[[float], int]


def shorten(config: dict[str, Any]) -> None:
    """Change `config` in place: its length, and in proportion every moment that is counted in epochs or iterations."""
    by_epoch = "max_epochs" in config["train_cfg"]
    schedulers = config.get("param_scheduler") or []
    schedulers = [schedulers] if isinstance(schedulers, dict) else schedulers
    phases = _phases(schedulers) if by_epoch else []
    total = config["train_cfg"]["max_epochs" if by_epoch else "max_iters"]
    dynamic = bool(config["train_cfg"].get("dynamic_intervals"))
    length = max(EPOCHS + dynamic, len(_inside(phases, total)) + 1) if by_epoch else ITERATIONS
    scale = _scale(total, length, _inside(phases, total))
    _loop(config["train_cfg"], by_epoch, total, length, scale)
    for scheduler in schedulers:
        _scheduler(scheduler, by_epoch, total, scale)
    for hook in config.get("custom_hooks") or []:
        _hook(hook, total, length, scale)
    _sooner(config["model"])


def _phases(schedulers: list[dict[str, Any]]) -> list[int]:
    return [s[key] for s in schedulers if s.get("by_epoch", True) for key in ("begin", "end") if key in s]


def _inside(points: list[int], total: int) -> list[int]:
    return sorted({point for point in points if 0 < point < total})


def _scale(total: int, length: int, phases: list[int]) -> Scale:
    """Where a moment of the long schedule lies in the short one: what is inside stays inside, phases stay apart."""

    def scale(moment: float) -> int:
        if moment <= 0 or moment >= total:
            return 0 if moment <= 0 else length + (moment > total)
        if moment in phases:
            return phases.index(int(moment)) + 1
        return min(max(round(moment * length / total), 1), length - 1)

    return scale


def _loop(loop: dict[str, Any], by_epoch: bool, total: int, length: int, scale: Scale) -> None:
    loop["max_epochs" if by_epoch else "max_iters"] = length
    if "val_begin" in loop:
        loop["val_begin"] = scale(loop["val_begin"])
    interval = loop.get("val_interval", 1)
    often = 1 if by_epoch else length // 2
    dynamic = loop.get("dynamic_intervals")
    short = scale(interval) if interval >= total else length if by_epoch and dynamic else often
    loop["val_interval"] = type(interval)(short)
    if dynamic:
        loop["dynamic_intervals"] = [
            (scale(start), often if every < total / 2 else min(scale(every), length)) for start, every in dynamic
        ]


def _scheduler(scheduler: dict[str, Any], by_epoch: bool, total: int, scale: Scale) -> None:
    if not scheduler.get("by_epoch", True) and (by_epoch or _warms_up(scheduler, total)):
        scale = _warm_up
    span = scheduler.get("end", total) - scheduler.get("begin", 0)
    for key in ("begin", "end"):
        if key in scheduler:
            scheduler[key] = scale(scheduler[key])
    if "milestones" in scheduler:
        scheduler["milestones"] = [scale(moment) for moment in scheduler["milestones"]]
    for key in ("T_max", "total_iters"):
        if key in scheduler:
            short = scheduler.get("end", scale(total)) - scheduler.get("begin", 0)
            scheduler[key] = short if scheduler[key] == span else scale(scheduler[key])


def _warms_up(scheduler: dict[str, Any], total: int) -> bool:
    return bool(scheduler.get("begin", 0) == 0 and scheduler.get("end", total) < total / 5)


def _warm_up(iterations: float) -> int:
    return min(int(iterations), WARM_UP)


def _hook(hook: dict[str, Any], total: int, length: int, scale: Scale) -> None:
    if "switch_epoch" in hook:
        hook["switch_epoch"] = scale(hook["switch_epoch"])
    if "num_last_epochs" in hook:
        hook["num_last_epochs"] = length - scale(total - hook["num_last_epochs"])
    if hook["type"] == "CheckInvalidLossHook":
        hook["interval"] = 2


def _sooner(model: dict[str, Any]) -> None:
    for path, node in dicts(model):
        node.update({key: value for key, value in SOONER.items() if key in node})
        if "batch_augments" in path and "interval" in node:
            node["interval"] = 3
