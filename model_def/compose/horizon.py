"""The horizon is one: what says when must fit the length of training, or the experiment says what is to be done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from model_def.assignments import OVERRIDES
from model_def.compose.given import sets
from model_def.compose.moments import FOREVER, Horizon, Kind, Moment, horizon, is_number, moments
from model_def.compose.origin import Layer, givers, history
from model_def.compose.rescale import Scale
from model_def.compose.tree import Path, dicts, dotted
from model_def.errors import ConfigError
from model_def.experiment_types import Experiment
from model_def.yaml_source import COMMAND_LINE

RESCALED = "derived: schedule: rescale"
Dated = tuple[Moment, Horizon]  # a moment, and the length that it was written for


def follow(
    config: dict[str, Any], layers: Sequence[Layer], experiment: Experiment
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """`config` with everything that says when in step with its length, and notes.

    Args:
        config: with all overrides.
        layers: the steps that led to it. A moment was written for the length that the config had when it was given.
        experiment: says what to do, in its hyperparameter `schedule`.

    Raises:
        ConfigError: the length was changed, something was written for the old one, and `schedule` doesn't say what
            is to become of it.
    """
    now, wanted = horizon(config), experiment.hyperparameters.schedule
    if now is None:
        return config, ()
    other = [(moment, then) for moment, then in _dated(config, layers, now) if then != now]
    stale = [(moment, then) for moment, then in other if _is_stale(moment, then, now)]
    if wanted == "rescale" and not any(then.epochs != now.epochs for _, then in stale):
        return _rescaled(config, other, now)
    if not stale:
        return config, (f"schedule: {wanted} changes nothing: everything fits {now}",) if wanted else ()
    if wanted == "keep" or (wanted is None and experiment.searcher.max_length):  # the old adapter's length
        return config, tuple(_kept(stale, now))
    raise _out_of_step(stale, now, layers, experiment)


def never(config: dict[str, Any]) -> Iterator[str]:
    """A note for each learning rate that has steps, or an end, which never come."""
    now = horizon(config)
    for path, node in dicts(config.get("param_scheduler")) if now else ():
        begin = node.get("begin", 0)
        if now and is_number(begin) and node.get("by_epoch", True) == now.epochs:
            yield from _late_steps(node, begin, now)
            span = node.get("T_max")
            if is_number(span) and begin + span > now.length:
                where = dotted(("param_scheduler", *path, "T_max"))
                yield f"the learning rate never comes to its end: {where} = {span}, and training has {now}"


def _late_steps(node: dict[str, Any], begin: float, now: Horizon) -> Iterator[str]:
    end, milestones = node.get("end", FOREVER), node.get("milestones")
    if isinstance(milestones, list | tuple) and all(map(is_number, (end, *milestones))):
        last = min(end, now.length)
        what = "training ends" if last == now.length else "its schedule ends"
        if late := [str(milestone) for milestone in milestones if begin + milestone >= last]:
            unit = now.unit.removesuffix("s")
            yield f"the learning rate never steps at {unit} {', '.join(late)}: {what} at {last} (param_scheduler)"


def _dated(config: dict[str, Any], layers: Sequence[Layer], now: Horizon) -> Iterator[Dated]:
    horizons = [horizon(layer.config) for layer in layers]
    if all(one == now for one in horizons):
        return

    def written_for(path: Path) -> Horizon:
        layer = next(givers(layers, path), None)
        return (horizon(layer.config) if layer else None) or now

    yield from ((moment, written_for(moment.path)) for moment in moments(config, written_for))


def _is_stale(moment: Moment, then: Horizon, now: Horizon) -> bool:
    """Whether a moment is out of step with a training of another length than it was written for."""
    if moment.kind is Kind.INTERVAL:
        return False
    if moment.kind in (Kind.EARLY, Kind.LAST):
        return bool(moment.own and moment.value >= now.length)
    whole = moment.own and then.epochs == now.epochs and moment.value != [] and moment.kind is Kind.CUT
    return not (whole and moment.value >= max(then.length, now.length))


def _rescaled(config: dict[str, Any], dated: Sequence[Dated], now: Horizon) -> tuple[dict[str, Any], tuple[str, ...]]:
    notes: list[str] = []
    for then in dict.fromkeys(then for _, then in dated if then.epochs == now.epochs):
        those = [moment for moment, written in dated if written == then]
        scale, lines = Scale.of(those, then.length, now.length), []
        for moment in those:
            new = scale.value(moment)
            if new != moment.value:
                config = _replaced(config, moment.path, new)
                lines.append(f"{dotted(moment.path)}: {moment.value} is {new} now")
        notes.append("\n  ".join([f"schedule: rescale, from {then} to {now}", *lines]))
    return config, tuple(notes) or (f"schedule: rescale changes nothing: everything fits {now}",)


def _replaced(node: Any, path: Path, value: Any) -> Any:
    """`node` with another value at `path`; a tuple stays one."""
    if not path:
        return type(node)(value) if isinstance(node, tuple) else value
    if isinstance(node, dict):
        return {**node, path[0]: _replaced(node[path[0]], path[1:], value)}
    items = [_replaced(item, path[1:], value) if index == path[0] else item for index, item in enumerate(node)]
    return type(node)(items)


def _kept(stale: Sequence[Dated], now: Horizon) -> Iterator[str]:
    for then in dict.fromkeys(then for _, then in stale):
        those = ", ".join(f"{dotted(moment.path)} = {moment.value}" for moment, one in stale if one == then)
        yield f"schedule: keep: training has {now}, and these stay as they were written for {then}: {those}"


def _out_of_step(stale: Sequence[Dated], now: Horizon, layers: Sequence[Layer], experiment: Experiment) -> ConfigError:
    lengths = list(dict.fromkeys(then for _, then in stale))
    places = [_place(path, layers, experiment) for path in (now.path, *(moment.path for moment, _ in stale))]
    same = all(then.epochs == now.epochs for then in lengths)
    what = f"training has {now}, and the schedule was written for {' and '.join(map(str, lengths))}"
    if experiment.hyperparameters.schedule:
        what += ": `schedule: rescale` can't turn epochs into iterations or back"
    rescale = "schedule=rescale moves these values in proportion; " if same else ""
    return ConfigError(
        what=what,
        where=f"\n{'':11}".join(places),
        allowed=f"{rescale}schedule=keep leaves them as they are; or override each of them",
        next=f"add {'schedule=rescale or ' if same else ''}schedule=keep",
    )


def _place(path: Path, layers: Sequence[Layer], experiment: Experiment) -> str:
    origin = next(history(layers, path))
    where = origin.where
    if sets(experiment.hyperparameters.override_mmdet_config, layers[-1].config, path):
        where = experiment.where(*OVERRIDES, *path)
        where = where if where.startswith(COMMAND_LINE) else where.partition(" (")[0]
    return f"{dotted(path)} = {origin.value} ({where})"
