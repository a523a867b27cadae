"""The stand-in's adaptive search against figures of the platform's own tests, and its rule for stopping."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.cluster.asha import Adaptive
from tests.cluster.records import ERROR, Create, Trial


def searcher(**settings: Any) -> dict[str, Any]:
    return {"metric": "loss", "smaller_is_better": True, "time_metric": "batches", "max_trials": 10, **settings}


def search(**settings: Any) -> Adaptive:
    return Adaptive(searcher(**settings), ({"n": n} for n in itertools.count()))


def trials(creates: list[Create]) -> list[Trial]:
    return [
        Trial(id=create.hparams["n"], experiment_id=1, hparams={}, bracket=create.bracket, seed=0) for create in creates
    ]


@pytest.mark.parametrize(
    ("settings", "rungs", "first"),
    [
        ({"max_time": 100, "max_concurrent_trials": 2}, [[25, 100], [100]], [1, 1]),
        (
            {"max_time": 1000, "mode": "conservative", "divisor": 3, "max_concurrent_trials": 5},
            [[111, 333, 1000], [333, 1000], [1000]],
            [2, 2, 1],
        ),
        ({"max_time": 10, "bracket_rungs": [4], "divisor": 2, "max_concurrent_trials": 0}, [[1, 2, 5, 10]], [10]),
    ],
)
def test_brackets(settings: dict[str, Any], rungs: list[list[int]], first: list[int]):
    found = search(**settings)
    assert [bracket.needed for bracket in found.brackets] == rungs
    started = [create.bracket for create in found.first()]
    assert [started.count(number) for number in range(len(rungs))] == first


def test_all_trials_are_started_in_the_end():
    found = search(max_time=100, max_concurrent_trials=2)
    waiting, seen = trials(found.first()), 0
    while waiting:
        stop, more = found.validated(waiting.pop(), {"batches": 100, "loss": 1.0})
        assert stop
        waiting += trials(more)
        seen += 1
    assert seen == 10


def test_who_is_not_among_the_best_of_a_rung_is_stopped():
    found = search(max_time=16, bracket_rungs=[2], max_concurrent_trials=3)
    good, bad, better = trials(found.first())
    assert found.validated(good, {"batches": 3, "loss": 9.0}) == (False, []), "the first rung is at 4"
    assert found.validated(good, {"batches": 4, "loss": 2.0}) == (False, [])
    stop, [create] = found.validated(bad, {"batches": 4, "loss": 3.0})
    assert stop
    assert create.hparams == {"n": 3}
    assert found.validated(better, {"batches": 5, "loss": 1.0}) == (False, [])
    assert found.validated(better, {"batches": 16, "loss": 1.0})[0], "the last rung is the end"


def test_a_failed_trial_is_replaced():
    found = search(max_time=16, bracket_rungs=[2], max_concurrent_trials=1)
    [trial] = trials(found.first())
    trial.state = ERROR
    assert len(found.ended(trial)) == 1
