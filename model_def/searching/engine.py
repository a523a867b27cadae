"""Ray Tune as the engine: it places trials on this machine, or on a cluster of Ray, and asks who goes on."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler

from model_def.errors import ExperimentError
from model_def.searching.actor import Actor
from model_def.searching.halving import Verdict
from model_def.searching.process import Task
from model_def.searching.search import FAILED, Search


class _Unsaved:
    """Tune saves all that it was given. Ours is in search.jsonl already, and some of it can't be pickled."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Referee(_Unsaved, FIFOScheduler):
    """Tells the search what has happened and Tune what to do."""

    def __init__(self, search: Search, changed: Callable[[], None]) -> None:
        super().__init__()
        self._search, self._changed = search, changed

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Hand on a validation."""
        news = json.loads(result["news"])
        if news.get("event") != "validation":
            return str(self.CONTINUE)
        verdict = self._search.measured(number_of(trial), batches=news["batches"], metrics=news["metrics"])
        self._changed()
        return str(self.CONTINUE if verdict is Verdict.GO_ON else self.STOP)

    def on_trial_complete(self, controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """A trial has come to its own end."""
        news = json.loads(result["news"])
        if news.get("event") == "end":
            self._search.ended(number_of(trial), news["status"], news["message"], mistake=news["mistake"])
            self._changed()


class _Listener(_Unsaved, tune.Callback):
    """Tells the search that a trial begins, or begins again, or is given up."""

    def __init__(self, search: Search, changed: Callable[[], None]) -> None:
        self._search, self._changed = search, changed

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._search.begun(number_of(trial))
        self._changed()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        log = f"{self._search.folder(number_of(trial))}.log"
        message = f"it has ended without a word, more often than `max_restarts` allows; see {log}"
        self._search.ended(number_of(trial), FAILED, message)
        self._changed()

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._changed()


class _Stopper(_Unsaved, tune.Stopper):
    """Ends the search after a signal, or when there is no use in going on."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self.signal_number: int | None = None

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.signal_number is not None or self._search.hopeless is not None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM stop the search cleanly; a second one ends it at once."""
        original = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def receive(number: int, frame: Any) -> None:
            self.signal_number = number
            for each, handler in original.items():
                signal.signal(each, handler)

        for number in original:
            signal.signal(number, receive)
        try:
            yield
        finally:
            for number, handler in original.items():
                signal.signal(number, handler)


def number_of(trial: Any) -> int:
    """Which of the search's trials this is."""
    return int(trial.config["trial"])


def run(search: Search, changed: Callable[[], None]) -> int | None:
    """Run all trials that are left.

    Args:
        search: takes what happens.
        changed: called after each event, and every second or so.

    Returns:
        The number of the signal that has stopped the search; None if it came to its end.

    Raises:
        UserError: no trial fits on this machine.
    """
    processes = max(search.plan.experiment.slots_per_trial, 1)
    tasks = {number: _task(search, number, processes) for number in search.left()}
    if not tasks:
        return None
    stopper, state = _Stopper(search), search.output / ".tune"
    with _cluster(), stopper.listening():
        trainable = tune.with_resources(tune.with_parameters(Actor, tasks=tasks), _resources(search, processes))
        tune.Tuner(
            trainable,
            param_space={"trial": tune.grid_search([*tasks])},
            tune_config=tune.TuneConfig(
                scheduler=Referee(search, changed), max_concurrent_trials=search.plan.at_once, reuse_actors=True
            ),
            run_config=tune.RunConfig(
                name="search",
                storage_path=str(state.resolve()),
                verbose=0,
                stop=stopper,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # trials save by themselves
                failure_config=tune.FailureConfig(max_failures=_restarts(search)),
                callbacks=[_Listener(search, changed)],
            ),
        ).fit()
    shutil.rmtree(state, ignore_errors=True)  # what a search needs to go on is in its search.jsonl
    return stopper.signal_number


def _task(search: Search, number: int, processes: int) -> Task:
    return Task(
        file=search.plan.file.resolve(),
        assignments=tuple(search.plan.values(number)),
        directory=Path.cwd(),
        output=search.folder(number).resolve(),
        processes=processes,
    )


def _restarts(search: Search) -> int:
    """Determined's default is 5."""
    given = search.plan.experiment.raw.get("max_restarts")
    return 5 if given is None else int(given)


def _resources(search: Search, processes: int) -> dict[str, float]:
    """What a trial takes: a GPU, or else a core, for each of its processes.

    Raises:
        UserError: there is not that much.
    """
    there = ray.cluster_resources()
    kind = "GPU" if there.get("GPU") else "CPU"
    if there.get(kind, 0) < processes:
        raise ExperimentError(
            what=f"a trial takes {processes} processes, and there are {there.get(kind, 0):.0f} {kind}s",
            value=processes,
            where=search.plan.experiment.where("resources", "slots_per_trial"),
            allowed=f"up to {there.get(kind, 0):.0f}",
            next=f"python -m model_def search {search.plan.file} resources.slots_per_trial=1",
        )
    return {kind: processes}


@contextlib.contextmanager
def _cluster() -> Iterator[None]:
    """Ray, started for this search alone, its files in a folder that goes with it; or the one at RAY_ADDRESS."""
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # the table says what happens, a trial's log says why
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    with contextlib.ExitStack() as stack:
        if not os.environ.get("RAY_ADDRESS"):
            short = tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True)  # for sockets
            folder = stack.enter_context(short)
            cores = len(os.sched_getaffinity(0))
            quiet |= {"num_cpus": cores, "include_dashboard": False, "_temp_dir": folder}
        ray.init(**quiet)
        stack.callback(ray.shutdown)
        yield
