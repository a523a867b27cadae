"""Which trials go on: Determined's asynchronous successive halving, in its stopping form (its `adaptive_asha`).

Trials are dealt to brackets. A bracket's rungs are lengths of training. Who comes to one goes on if it is among the
best of those that have come there so far. Nobody waits, and a trial that was stopped stays stopped.
"""

from __future__ import annotations

import bisect
import dataclasses
import enum
import math
from collections.abc import Mapping, Sequence
from typing import Any

DIVISOR, MAX_RUNGS, AT_ONCE = 4, 5, 16  # Determined's defaults


class Verdict(enum.Enum):
    """What a validation means for its trial."""

    GO_ON = "goes on"
    STOP = "stopped early"
    DONE = "done"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size:
    """A bracket: `rungs` lengths of training, `trials` of which `at_once` are begun together."""

    rungs: int
    trials: int
    at_once: int


class Bracket:
    """The rungs of one bracket and who has come to them; without rungs everybody goes on.

    Args:
        lengths: of the rungs, in the searcher's unit, the shortest first.
        divisor: one of so many goes on.
    """

    def __init__(self, lengths: Sequence[int], divisor: float) -> None:
        self.lengths = tuple(lengths)
        self._divisor = divisor
        self._metrics: list[list[float]] = [[] for _ in lengths]
        self._next: dict[int, int] = {}

    def judge(self, trial: int, length: float, metric: float) -> Verdict:
        """Whether the trial goes on, with a metric (smaller is better) measured after `length`.

        A validation may pass several rungs. One that is told again, after a trial was resumed, changes nothing.
        """
        while (rung := self._next.get(trial, 0)) < len(self.lengths) and length >= self.lengths[rung]:
            rank = self._insert(trial, rung, metric)
            if rung == len(self.lengths) - 1:
                return Verdict.DONE
            if rank >= max(int(len(self._metrics[rung]) / self._divisor), 1):
                return Verdict.STOP
        return Verdict.GO_ON

    def lose(self, trial: int) -> None:
        """A trial has failed: it counts as the worst of the rung that it was on the way to."""
        if (rung := self._next.get(trial, 0)) < len(self.lengths):
            self._insert(trial, rung, math.inf)

    def _insert(self, trial: int, rung: int, metric: float) -> int:
        self._next[trial] = rung + 1
        value = math.inf if math.isnan(metric) else metric
        rank = bisect.bisect_left(self._metrics[rung], value)
        self._metrics[rung].insert(rank, value)
        return rank


def rung_lengths(rungs: int, divisor: float, length: int) -> list[int]:
    """The lengths of a bracket's rungs: `length` for the last one, divided for each one before it."""
    return [max(int(length / divisor ** (rungs - 1 - i)), 1) for i in range(rungs)]


def sizes(searcher: Mapping[str, Any], length: int) -> list[Size]:
    """The brackets of an `adaptive_asha`, the one with most rungs first, or the one of an `async_halving`."""
    trials, divisor = searcher["max_trials"], given(searcher, "divisor", DIVISOR)
    if searcher["name"] == "async_halving":
        rungs = [searcher["num_rungs"]]
    else:
        rungs = sorted(given(searcher, "bracket_rungs", None) or _rungs(searcher, length), reverse=True)
    dealt = _shares(trials, divisor, rungs)
    at_once = _at_once(given(searcher, "max_concurrent_trials", AT_ONCE), divisor, dealt)
    return [Size(rungs=r, trials=n, at_once=min(c, n)) for r, n, c in zip(rungs, dealt, at_once, strict=True)]


def dealt(brackets: Sequence[Size]) -> list[int]:
    """The bracket of each trial: first what each begins with, then in turn.

    A master gives the next trial to the bracket that has lost one, which depends on the clock.
    """
    order = [number for number, bracket in enumerate(brackets) for _ in range(bracket.at_once)]
    left = [bracket.trials - bracket.at_once for bracket in brackets]
    for turn in range(max(left, default=0)):
        order += [number for number, count in enumerate(left) if count > turn]
    return order


def given(searcher: Mapping[str, Any], name: str, default: Any) -> Any:
    """A field of the searcher; `null` is the same as absent."""
    value = searcher.get(name)
    return default if value is None else value


def _rungs(searcher: Mapping[str, Any], length: int) -> list[int]:
    """The number of rungs of each bracket: at least one trial shall come to the last rung of each."""
    divisor = given(searcher, "divisor", DIVISOR)
    longest = (int(math.log(number) / math.log(divisor)) + 1 for number in (length, searcher["max_trials"]))
    most = min(given(searcher, "max_rungs", MAX_RUNGS), *longest)
    fewest = {"aggressive": most, "standard": (most - 1) // 2 + 1, "conservative": 1}
    return list(range(fewest[given(searcher, "mode", "standard")], most + 1))


def _shares(trials: int, divisor: float, rungs: Sequence[int]) -> list[int]:
    """The trials of each bracket: about as much training in each. What is left over goes to the first."""
    weights = [divisor ** (number - 1) / number for number in rungs]
    shares = [max(int(weight / sum(weights) * trials), 1) for weight in weights]
    return [shares[0] + max(trials - sum(shares), 0), *shares[1:]]


def _at_once(wanted: int, divisor: float, shares: Sequence[int]) -> list[int]:
    if not wanted:
        return [max(shares[-1], int(divisor))] * len(shares)
    each, left = divmod(max(wanted, len(shares)), len(shares))
    return [each + (number < left) for number in range(len(shares))]
