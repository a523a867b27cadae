"""`adaptive_asha` as the platform's master decides it: who is not among the best of a rung is stopped."""

from __future__ import annotations

import bisect
import math
import sys
from collections.abc import Iterator
from typing import Any

from tests.cluster.records import ERROR, Create, Trial

NO_METRIC = sys.float_info.max  # what a failed trial counts as
DEFAULTS = {"mode": "standard", "divisor": 4, "max_rungs": 5, "max_concurrent_trials": 16, "bracket_rungs": []}


class Bracket:
    """Trials that are compared with each other.

    Args:
        number: of the bracket; its trials bear it.
        rungs: how many.
        total, at_once: trials.
        searcher: the experiment's section.
        draws: endless.
    """

    def __init__(
        self, number: int, rungs: int, total: int, at_once: int, searcher: dict[str, Any], draws: Iterator[Any]
    ) -> None:
        self._number, self._total, self._at_once, self._draws = number, total, at_once, draws
        self._metric, self._time = searcher["metric"], searcher["time_metric"]
        self._sign = 1 if searcher["smaller_is_better"] else -1
        self._divisor = searcher["divisor"]
        self.needed = [max(int(searcher["max_time"] / self._divisor ** (rungs - 1 - i)), 1) for i in range(rungs)]
        self._metrics: list[list[float]] = [[] for _ in range(rungs)]
        self._rung: dict[int, int] = {}
        self._created = 0

    def first(self) -> list[Create]:
        """The trials to begin with."""
        return self._next(min(self._at_once, self._total))

    def validated(self, trial: Trial, values: dict[str, Any]) -> tuple[bool, list[Create]]:
        """Whether to stop the trial, and the trials that follow."""
        stop = self._is_stopped(trial, int(values[self._time]), self._sign * float(values[self._metric]))
        return stop, self._next(1) if stop else []

    def _is_stopped(self, trial: Trial, time: int, score: float) -> bool:
        last = len(self.needed) - 1
        for rung in range(self._rung.get(trial.id, 0), last + 1):
            self._rung[trial.id] = rung
            if time < self.needed[rung]:
                return False
            metrics = self._metrics[rung]
            place = bisect.bisect_left(metrics, score)
            metrics.insert(place, score)
            if rung == last or place >= max(int(len(metrics) / self._divisor), 1):
                return True
        return False

    def ended(self, trial: Trial) -> list[Create]:
        """The trials that follow one that has failed; one that has done its work was stopped before."""
        if trial.state != ERROR:
            return []
        bisect.insort(self._metrics[self._rung.get(trial.id, 0)], NO_METRIC)
        return self._next(1)

    def _next(self, count: int) -> list[Create]:
        count = min(count, self._total - self._created)
        self._created += count
        return [Create(hparams=next(self._draws), bracket=self._number) for _ in range(count)]


class Adaptive:
    """All brackets of a search."""

    def __init__(self, searcher: dict[str, Any], draws: Iterator[Any]) -> None:
        searcher = DEFAULTS | searcher
        rungs = sorted(searcher["bracket_rungs"] or _rungs(searcher), reverse=True)
        totals = _totals(searcher, rungs)
        at_once = _at_once(searcher, totals)
        self.brackets = [
            Bracket(i, count, total, many, searcher, draws)
            for i, (count, total, many) in enumerate(zip(rungs, totals, at_once, strict=True))
        ]

    def first(self) -> list[Create]:
        return [create for bracket in self.brackets for create in bracket.first()]

    def validated(self, trial: Trial, values: dict[str, Any]) -> tuple[bool, list[Create]]:
        return self.brackets[trial.bracket].validated(trial, values)

    def ended(self, trial: Trial) -> list[Create]:
        return self.brackets[trial.bracket].ended(trial)


def _rungs(searcher: dict[str, Any]) -> list[int]:
    """The rungs of each bracket: no more than leave one trial for the top."""
    most = min(
        searcher["max_rungs"],
        *(int(math.log(searcher[name]) / math.log(searcher["divisor"])) + 1 for name in ("max_time", "max_trials")),
    )
    first = {"aggressive": most, "standard": (most - 1) // 2 + 1, "conservative": 1}[searcher["mode"]]
    return list(range(first, most + 1))


def _totals(searcher: dict[str, Any], rungs: list[int]) -> list[int]:
    """Trials of each bracket, so that all of them train for about as long; what is left over goes to the first."""
    weights = [searcher["divisor"] ** (count - 1) / count for count in rungs]
    totals = [max(int(weight / sum(weights) * searcher["max_trials"]), 1) for weight in weights]
    totals[0] += max(searcher["max_trials"] - sum(totals), 0)
    return totals


def _at_once(searcher: dict[str, Any], totals: list[int]) -> list[int]:
    """Trials of each bracket that run at a time: equally many, the first ones more if that does not come out even."""
    most, count = searcher["max_concurrent_trials"], len(totals)
    if most == 0:
        return [max(totals[-1], int(searcher["divisor"]))] * count
    each, rest = divmod(max(most, count), count)
    return [each + (i < rest) for i in range(count)]
