"""Searches: which trials an experiment has. The draws are those of `model_def search`, which are a master's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Protocol

from model_def.searching.space import Draw, draws, points
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


def make_search(config: dict[str, Any]) -> Search:
    """The search that an experiment's `searcher` names."""
    return METHODS[config["searcher"]["name"]](config)


def single(config: dict[str, Any]) -> Search:
    """One trial."""
    return Listed(_drawn(config), total=1, at_once=1)


def at_random(config: dict[str, Any]) -> Search:
    """`max_trials` draws."""
    searcher = config["searcher"]
    at_once = searcher.get("max_concurrent_trials", 16)
    return Listed(_drawn(config), total=searcher["max_trials"], at_once=at_once)


def grid(config: dict[str, Any]) -> Search:
    """All points."""
    every = [_laid_in(config["hyperparameters"], point) for point in points(config["hyperparameters"])]
    return Listed(iter(every), total=len(every), at_once=config["searcher"].get("max_concurrent_trials", 16))


def adaptive(config: dict[str, Any]) -> Search:
    """Draws of which the bad ones are stopped early."""
    return Adaptive(config["searcher"], _drawn(config))


METHODS = {"single": single, "random": at_random, "grid": grid, "adaptive_asha": adaptive}


def _drawn(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for draw in draws(config["hyperparameters"], config["reproducibility"]["experiment_seed"]):
        yield _laid_in(config["hyperparameters"], draw)


def _laid_in(node: Any, draw: Draw, place: tuple[str, ...] = ("hyperparameters",)) -> Any:
    """A trial's hyperparameters: what was drawn in the places of what is searched, constants as values."""
    if place in draw:
        return draw[place]
    if not isinstance(node, dict):
        return node
    if node.get("type") == "const":
        return node["val"]
    return {name: _laid_in(value, draw, (*place, name)) for name, value in node.items()}
