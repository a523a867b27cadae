"""Trials that run elsewhere and are only shown: detached mode. `det` and the SDK call them unmanaged."""

from __future__ import annotations

import random

from determined.common.api import bindings

from tests.cluster import records, told
from tests.cluster.answers import Answer, Refused, Request
from tests.cluster.config import complete
from tests.cluster.master import Master
from tests.cluster.records import Experiment, Trial
from tests.cluster.search import make_search
from tests.cluster.server import Route

RUNNING = "RUNNING"


def create_experiment(master: Master, request: Request) -> Answer:
    """An experiment without code and without an entry point: `core_v2` and `train --master`."""
    config = complete(request.body["config"], master.storage)
    if config["workspace"]:
        raise Refused(404, f"workspace '{config['workspace']}' not found")
    original = request.body["config"]
    if request.body.get("validateOnly"):
        return bindings.v1CreateExperimentResponse(config=config, experiment=told.unmade(config, original)).to_json(
            True
        )
    rng = random.Random(config["reproducibility"]["experiment_seed"])
    with master.changed:
        experiment = Experiment(
            id=len(master.experiments) + 1, config=config, original=original, context=b"", state=records.PAUSED,
            random=rng, search=make_search(config),
        )  # fmt: skip
        master.experiments[experiment.id] = experiment
        return bindings.v1CreateExperimentResponse(config=config, experiment=told.experiment(experiment)).to_json(True)


def create_trial(master: Master, request: Request) -> Answer:
    """A trial of such an experiment, not begun."""
    with master.changed:
        experiment = master.experiment(request.body["experimentId"])
        trial = Trial(
            id=len(master.trials) + 1, experiment_id=experiment.id, hparams=request.body["hparams"], seed=0,
            state=records.PAUSED,
        )  # fmt: skip
        master.trials[trial.id] = trial
        experiment.trials.append(trial)
        return bindings.v1CreateTrialResponse(trial=told.trial(trial)).to_json(True)


def start_trial(master: Master, request: Request) -> Answer:
    """It begins, or goes on as a new run."""
    with master.changed:
        trial = master.trial(request.number("trial"))
        if trial.run_id and not request.body.get("resume"):
            raise Refused(500, "trial has already been started")
        trial.run_id += 1
        _state(master, trial, RUNNING)
        return bindings.v1StartTrialResponse(stepsCompleted=0, trialRunId=trial.run_id).to_json(True)


def patch_trial(master: Master, request: Request) -> Answer:
    """Its state; without one, only that it is alive."""
    with master.changed:
        trial = master.trial(request.number("trial"))
        if "state" in request.body:
            _state(master, trial, request.body["state"].removeprefix("STATE_"))
        return bindings.v1PatchTrialResponse(trial=told.trial(trial)).to_json(True)


def _state(master: Master, trial: Trial, state: str) -> None:
    trial.state = master.experiments[trial.experiment_id].state = state
    if state in records.TERMINAL:
        trial.ended = master.experiments[trial.experiment_id].ended = records.now()
    master.changed.notify_all()


ROUTES = [
    Route(method="POST", path="/api/v1/trials", handler=create_trial),
    Route(method="POST", path="/api/v1/trials/{trial}/start", handler=start_trial),
    Route(method="PATCH", path="/api/v1/trials/{trial}", handler=patch_trial),
]
