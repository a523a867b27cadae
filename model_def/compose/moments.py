"""What in a config says when: milestones, ends, switches, intervals. Each was written for a training of some length."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

from model_def.compose.tree import Path, dicts, type_name
from model_def.migrate.length import by_epoch

FOREVER = 10**9  # mmengine's INF: an `end` that no training reaches
WARM_UP = re.compile(r"(Linear|Constant|QuadraticWarmup)(LR|Momentum)")
# Their shape does not depend on `end`: it only cuts them off.
CUT = re.compile(r"(MultiStep|Step|Constant|Exponential|CosineAnnealing|CosineRestart|ReduceOnPlateau)(LR|Momentum)")
SPANS = ("T_max", "step_size", "total_steps")
LISTS = {"milestones", "periods"}
HOOK_MOMENT = re.compile(r"(\w+_)?(epoch|iter)")


class Kind(enum.Enum):
    """How a value depends on the length of training."""

    MOMENT = "a moment, or a list of them"
    SPAN = "a length of time, or a list of them"
    CUT = "an end that cuts something off and shapes nothing"
    EARLY = "the end of a beginning: of a warm-up, of a first phase"
    LAST = "counts back from the end"
    INTERVAL = "how often"
    PHASES = "pairs of a moment and an interval"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Horizon:
    """How long a config trains."""

    length: int
    epochs: bool

    @property
    def unit(self) -> str:
        """The word for what is counted."""
        return "epochs" if self.epochs else "iterations"

    @property
    def path(self) -> Path:
        """Where it stands in a config."""
        return ("train_cfg", "max_epochs" if self.epochs else "max_iters")

    def __str__(self) -> str:
        return f"{self.length} {self.unit if self.length != 1 else self.unit[:-1]}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moment:
    """One value of a config that says when.

    Attributes:
        own: whether it counts what the training loop counts. A warm-up by iterations in a loop by epochs doesn't.
        between: a SPAN from one moment to another.
    """

    path: Path
    value: Any
    kind: Kind
    own: bool = True
    between: tuple[int, int] | None = None


def horizon(config: Mapping[str, Any]) -> Horizon | None:
    """The config's length; None if it has none that makes sense."""
    loop = config.get("train_cfg")
    if not isinstance(loop, Mapping):
        return None
    epochs = by_epoch(config)
    length = loop.get("max_epochs" if epochs else "max_iters")
    return Horizon(length=int(length), epochs=epochs) if is_number(length) and length >= 1 else None


def moments(config: Mapping[str, Any], written_for: Callable[[Path], Horizon]) -> Iterator[Moment]:
    """Every moment of `config`. `written_for` tells the length that a value was written for."""
    epochs = by_epoch(config)
    yield from _schedulers(config, epochs, written_for)
    yield from _loop(config.get("train_cfg") or {})
    for path, hook in dicts(config.get("custom_hooks") or []):
        if len(path) == 1:
            yield from _hook(hook, ("custom_hooks", *path), epochs)
    for path, node in dicts(config.get("model")):
        if is_number(value := node.get("initial_epoch")):  # of TOOD's and DDOD's first assigner
            yield Moment(path=("model", *path, "initial_epoch"), value=value, kind=Kind.EARLY, own=epochs)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_phase(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value))


def _schedulers(config: Mapping[str, Any], epochs: bool, written_for: Callable[[Path], Horizon]) -> Iterator[Moment]:
    every = dicts(config.get("param_scheduler"))
    found = [(("param_scheduler", *path), node) for path, node in every if "type" in node]
    warm_ups = {path: node for path, node in found if _warms_up(path, node, epochs, written_for)}
    after = {(node.get("by_epoch", True), node["end"]) for node in warm_ups.values()}
    for path, node in found:
        own = bool(node.get("by_epoch", True)) == epochs
        first = (node.get("by_epoch", True), node.get("begin")) in after
        begin, end = node.get("begin", 0), node.get("end", FOREVER)
        if is_number(begin) and begin > 0:
            yield Moment(path=(*path, "begin"), value=begin, kind=Kind.EARLY if first else Kind.MOMENT, own=own)
        if is_number(end) and end < FOREVER:
            kind = Kind.EARLY if path in warm_ups else Kind.CUT if CUT.fullmatch(type_name(node)) else Kind.MOMENT
            yield Moment(path=(*path, "end"), value=end, kind=kind, own=own)
        yield from _inner(path, node, own)


def _inner(path: Path, node: Mapping[str, Any], own: bool) -> Iterator[Moment]:
    begin, end = node.get("begin", 0), node.get("end")
    for key in SPANS:
        if is_number(value := node.get(key)):
            between = None
            if is_number(begin) and is_number(end) and begin and value == end - begin:
                between = (int(begin), int(end))
            kind = Kind.MOMENT if value == end else Kind.SPAN
            yield Moment(path=(*path, key), value=value, kind=kind, own=own, between=between)
    for key in LISTS & {*node}:
        if isinstance(node[key], list | tuple) and node[key] and all(map(is_number, node[key])):
            kind = Kind.MOMENT if key == "milestones" else Kind.SPAN
            yield Moment(path=(*path, key), value=list(node[key]), kind=kind, own=own)


def _warms_up(path: Path, node: Mapping[str, Any], epochs: bool, written_for: Callable[[Path], Horizon]) -> bool:
    """Whether a scheduler only leads to the real rate: it begins at once, rises and ends early."""
    end, first, last = node.get("end"), node.get("start_factor", 0.3), node.get("end_factor", 1)
    if not WARM_UP.fullmatch(type_name(node)) or node.get("begin") or not is_number(end):
        return False
    if is_number(first) and is_number(last) and first > last:
        return False
    then = written_for((*path, "end"))
    own = bool(node.get("by_epoch", True)) == epochs == then.epochs
    return end < (then.length if own else FOREVER)


def _loop(loop: Mapping[str, Any]) -> Iterator[Moment]:
    if is_number(begin := loop.get("val_begin")) and begin > 1:
        yield Moment(path=("train_cfg", "val_begin"), value=begin, kind=Kind.MOMENT)
    if is_number(interval := loop.get("val_interval")):
        yield Moment(path=("train_cfg", "val_interval"), value=interval, kind=Kind.INTERVAL)
    phases = loop.get("dynamic_intervals")
    if isinstance(phases, list | tuple) and phases and all(map(_is_phase, phases)):
        yield Moment(path=("train_cfg", "dynamic_intervals"), value=list(phases), kind=Kind.PHASES)


def _hook(hook: Mapping[str, Any], path: Path, epochs: bool) -> Iterator[Moment]:
    for key, value in hook.items():
        if not is_number(value) or value <= 0:
            continue
        if key in ("num_last_epochs", "num_last_iters"):
            yield Moment(path=(*path, key), value=value, kind=Kind.LAST, own=key.endswith("epochs") == epochs)
        elif HOOK_MOMENT.fullmatch(key):
            own = key.endswith("epoch") == epochs
            yield Moment(path=(*path, key), value=value, kind=Kind.MOMENT if own else Kind.EARLY, own=own)
