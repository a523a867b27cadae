"""A search as it will be run: its trials, their brackets, and how many at a time."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from model_def.errors import ExperimentError, Problem, UserError
from model_def.experiment import load_experiment
from model_def.experiment_types import Experiment
from model_def.searching import halving
from model_def.searching.space import Draw, assignments, draws, inside_lists, points, searched, short
from model_def.yaml_source import Place

HALVING = ("adaptive_asha", "async_halving")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a search does.

    Attributes:
        file, assignments: the experiment, as `train` would be given it but for the searched values.
        experiment: one of its draws.
        spaces: what is searched, by its place.
        draws: the values of each trial, in the order in which they begin.
        brackets: the bracket of each trial.
        lengths: the rungs of each bracket, in `unit`; none where every trial trains to its end.
        unit: `batches`, `epochs`, `records`, or a validation metric that grows.
        at_once: how many trials may train at the same time.
    """

    file: Path
    assignments: tuple[str, ...]
    experiment: Experiment
    spaces: dict[Place, dict[str, Any]]
    draws: tuple[Draw, ...]
    brackets: tuple[int, ...]
    lengths: tuple[tuple[int, ...], ...] = ((),)
    unit: str = "batches"
    at_once: int

    def values(self, number: int) -> list[str]:
        """Trial `number` (from 0) as `key=value` for the command line: what was given, then what was drawn."""
        keys = {short(place) for place in self.spaces}
        return [*(one for one in self.assignments if one.partition("=")[0] not in keys), *self.drawn(number)]

    def drawn(self, number: int) -> list[str]:
        """What was drawn for trial `number`."""
        return assignments(self.draws[number])


def make_plan(file: Path, given: Sequence[str] = ()) -> Plan:
    """Plan the search of an experiment.

    Raises:
        UserError: with all that is wrong in the experiment, with any of its draws.
    """
    experiment = load_experiment(file, given, sample=0)
    searcher, hyperparameters = experiment.searcher.raw, experiment.raw["hyperparameters"]
    spaces = searched(hyperparameters)
    if problems := [*_lacking(experiment), *_uncounted(experiment, spaces), *_hidden(experiment)]:
        raise ExperimentError.of(problems)
    rest: dict[str, Any] = {}
    if searcher["name"] == "grid":
        chosen = points(hyperparameters)
    else:
        if searcher["name"] in HALVING:
            rest = _halved(searcher)
        trials = len(rest["brackets"]) if rest else 1 if searcher["name"] == "single" else searcher["max_trials"]
        chosen = list(itertools.islice(draws(hyperparameters, experiment.seed), trials))
    at_once = halving.given(searcher, "max_concurrent_trials", halving.AT_ONCE) or len(chosen)
    plan = Plan(
        file=file,
        assignments=tuple(given),
        experiment=experiment,
        spaces=spaces,
        draws=tuple(chosen),
        **{"brackets": (0,) * len(chosen), "at_once": min(at_once, len(chosen)), **rest},
    )
    _check(plan)
    return plan


def _halved(searcher: Mapping[str, Any]) -> dict[str, Any]:
    unit, length = _length(searcher)
    divisor = halving.given(searcher, "divisor", halving.DIVISOR)
    sizes = halving.sizes(searcher, length)
    return {
        "brackets": tuple(halving.dealt(sizes)),
        "lengths": tuple(tuple(halving.rung_lengths(size.rungs, divisor, length)) for size in sizes),
        "unit": unit,
        "at_once": sum(size.at_once for size in sizes),
    }


def _length(searcher: Mapping[str, Any]) -> tuple[str, int]:
    """The unit and length of a whole trial, by today's fields or else by the old one."""
    if searcher.get("max_time") is not None and searcher.get("time_metric"):
        return searcher["time_metric"], searcher["max_time"]
    ((unit, length),) = searcher["max_length"].items()
    return unit, length


def _lacking(experiment: Experiment) -> Iterator[Problem]:
    """Fields that the searcher needs, as Determined's schema says."""
    searcher, name = experiment.searcher.raw, experiment.searcher.name
    needed = {"max_trials": "an integer of 1 or more"} if name in ("random", *HALVING) else {}
    needed |= {"num_rungs": "an integer of 1 or more"} if name == "async_halving" else {}
    if name in HALVING and not searcher.get("max_length"):
        needed |= {"time_metric": "epochs, batches or records", "max_time": "the length of a whole trial"}
    for field, allowed in needed.items():
        if searcher.get(field) is None:
            yield Problem(
                what=f"`searcher.{field}` is missing: a search by {name} needs it",
                where=experiment.where("searcher"),
                allowed=allowed,
                next=f"write `{field}: …` below `searcher:`",
            )
    divisor = searcher.get("divisor")
    if name in HALVING and divisor is not None and divisor <= 1:
        where = experiment.where("searcher", "divisor")
        write = "write `divisor: 4`, or leave it out"
        yield Problem(
            what="`searcher.divisor` must be above 1", value=divisor, where=where, allowed="such as 3 or 4", next=write
        )


def _uncounted(experiment: Experiment, spaces: Mapping[Place, Mapping[str, Any]]) -> Iterator[Problem]:
    for place, space in spaces.items():
        if experiment.searcher.name == "grid" and space["type"] != "categorical" and not space.get("count"):
            yield Problem(
                what=f"a grid needs to know how many values of `{'.'.join(place[1:])}` to try",
                value=dict(space),
                where=experiment.where(*place),
                allowed="a range with `count`",
                next="write `count: 3` into it",
            )


def _hidden(experiment: Experiment) -> Iterator[Problem]:
    for place in inside_lists(experiment.raw["hyperparameters"], ("hyperparameters",)):
        yield Problem(
            what=f"`{'.'.join(place[1:])}` is searched inside a list, where neither a master nor this looks",
            where=experiment.where(*place),
            allowed="a search in the place of a value, or of a whole list",
            next="search the list itself: {type: categorical, vals: [[…], […]]}",
        )


def _check(plan: Plan) -> None:
    """Read the experiment with every draw.

    Raises:
        UserError: with what is wrong with any of them, each mistake once.
    """
    problems: dict[str, Problem] = {}
    for number in range(len(plan.draws)):
        try:
            load_experiment(plan.file, plan.values(number))
        except UserError as error:
            problems |= {str(problem): problem for problem in error.problems}
    if problems:
        raise ExperimentError.of(problems.values())
