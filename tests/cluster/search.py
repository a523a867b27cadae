"""Searches: which trials an experiment has. The draws are not the platform's numbers, but as repeatable."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any, Protocol

from tests.cluster.asha import Adaptive
from tests.cluster.records import Create, Trial


class Search(Protocol):
    """One experiment's search."""

    def first(self) -> list[Create]:
        """The trials to begin with."""

    def validated(self, trial: Trial, values: dict[str, Any]) -> tuple[bool, list[Create]]:
        """Whether a validation is the end of its trial, and the trials that follow."""

    def ended(self, trial: Trial) -> list[Create]:
        """The trials that follow one that has ended.

        Those that refuse their hyperparameters are not replaced: 0.38.1 would do that, but never tells its searches.
        """


class Listed:
    """Trials of which some run at a time: the platform's single, random and grid."""

    def __init__(self, draws: Iterator[dict[str, Any]], *, total: int, at_once: int) -> None:
        self._draws, self._total, self._at_once = draws, total, at_once or total
        self._started = 0

    def first(self) -> list[Create]:
        return self._next(self._at_once)

    def validated(self, trial: Trial, values: dict[str, Any]) -> tuple[bool, list[Create]]:
        return False, []

    def ended(self, trial: Trial) -> list[Create]:
        return self._next(1)

    def _next(self, count: int) -> list[Create]:
        count = min(count, self._total - self._started)
        self._started += count
        return [Create(hparams=hparams) for hparams in itertools.islice(self._draws, count)]


def make_search(config: dict[str, Any], rng: random.Random) -> Search:
    """The search that an experiment's `searcher` names."""
    return METHODS[config["searcher"]["name"]](config, rng)


def single(config: dict[str, Any], rng: random.Random) -> Search:
    """One trial."""
    return Listed(_draws(config, rng), total=1, at_once=1)


def at_random(config: dict[str, Any], rng: random.Random) -> Search:
    """`max_trials` draws."""
    searcher = config["searcher"]
    at_once = searcher.get("max_concurrent_trials", 16)
    return Listed(_draws(config, rng), total=searcher["max_trials"], at_once=at_once)


def grid(config: dict[str, Any], rng: random.Random) -> Search:
    """All points."""
    every = points(config["hyperparameters"])
    return Listed(iter(every), total=len(every), at_once=config["searcher"].get("max_concurrent_trials", 16))


def adaptive(config: dict[str, Any], rng: random.Random) -> Search:
    """Draws of which the bad ones are stopped early."""
    return Adaptive(config["searcher"], _draws(config, rng))


METHODS = {"single": single, "random": at_random, "grid": grid, "adaptive_asha": adaptive}


def _draws(config: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    while True:
        yield sample(config["hyperparameters"], rng)


def sample(space: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """One draw of all hyperparameters, both ends of a range included."""
    return {name: _one(space[name], rng) for name in sorted(space)}


def _one(value: Any, rng: random.Random) -> Any:
    if not isinstance(value, dict):
        return value
    match value.get("type"):
        case None:
            return sample(value, rng)
        case "const":
            return value["val"]
        case "categorical":
            return rng.choice(value["vals"])
        case "int":
            return rng.randint(value["minval"], value["maxval"])
    drawn = rng.uniform(value["minval"], value["maxval"])
    return value["base"] ** drawn if value["type"] == "log" else drawn


def points(space: dict[str, Any]) -> list[dict[str, Any]]:
    """All points of a grid, the last name in the alphabet changing fastest."""
    names = sorted(space)
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*(_axis(space[n]) for n in names))]


def _axis(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        return [value]
    match value.get("type"):
        case None:
            return list(points(value))
        case "const":
            return [value["val"]]
        case "categorical":
            return list(value["vals"])
        case "int":
            return [round(step) for step in _steps(value, min(value["count"], value["maxval"] - value["minval"] + 1))]
        case "log":
            return [value["base"] ** step for step in _steps(value, value["count"])]
    return _steps(value, value["count"])


def _steps(value: dict[str, Any], count: int) -> list[float]:
    """Even steps from one end to the other; a single one is the middle."""
    low, high = value["minval"], value["maxval"]
    return [low + (high - low) * i / (count - 1) for i in range(count)] if count > 1 else [(low + high) / 2]
