"""Experiments: created, looked at, steered."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

from determined.common import util
from determined.common.api import bindings

from tests.cluster import detached, records, told
from tests.cluster.answers import Answer, Refused, Request
from tests.cluster.config import complete, laid_over
from tests.cluster.master import Master
from tests.cluster.server import Route


def create(master: Master, request: Request) -> Answer:
    """`det experiment create`, `client.create_experiment`; `--test` asks first whether the configuration is right."""
    if request.body.get("unmanaged"):
        return detached.create_experiment(master, request)
    config = complete(request.body["config"], master.storage)
    if config["resources"]["slots_per_trial"] > master.agent.slots:
        raise Refused(400, "slots requested exceeds cluster capacity")
    original = request.body["config"]
    if request.body.get("validateOnly"):
        return bindings.v1CreateExperimentResponse(config=config, experiment=told.unmade(config, original)).to_json(
            True
        )
    context = _packed(request.body.get("modelDefinition") or [])
    experiment = master.create(config, original, context, activate=bool(request.body.get("activate")))
    told_ = told.experiment(experiment)
    return bindings.v1CreateExperimentResponse(config=config, experiment=told_, warnings=[]).to_json(True)


def _packed(files: list[dict[str, Any]]) -> bytes:
    """The files of a context as the archive that containers get."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for file in files:
            content = base64.b64decode(file["content"])
            member = tarfile.TarInfo(file["path"])
            member.type, member.size = bytes([file["type"]]), len(content)
            member.mode, member.mtime = file["mode"], int(file["mtime"])
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def describe(master: Master, request: Request) -> Answer:
    """`det experiment wait`, `describe`, `create --test`, the SDK's `Experiment`."""
    with master.changed:
        experiment = master.experiment(request.number("experiment"))
        config = experiment.config
        return bindings.v1GetExperimentResponse(experiment=told.experiment(experiment), config=config).to_json(True)


def every(master: Master, request: Request) -> Answer:
    """`det experiment list`."""
    with master.changed:
        found = [told.experiment(experiment) for experiment in master.experiments.values()]
    page = bindings.v1Pagination(total=len(found), offset=0, limit=0, startIndex=0, endIndex=len(found))
    return bindings.v1GetExperimentsResponse(experiments=found, pagination=page).to_json(True)


def trials(master: Master, request: Request) -> Answer:
    """`det experiment create --follow` and `--test`, the SDK's `list_trials`."""
    with master.changed:
        found = [told.trial(trial) for trial in master.experiment(request.number("experiment")).trials]
    offset = int(request.query.get("offset", 0))
    page = bindings.v1Pagination(total=len(found), offset=offset, limit=0, startIndex=offset, endIndex=len(found))
    return bindings.v1GetExperimentTrialsResponse(trials=found[offset:], pagination=page).to_json(True)


def best_validation(master: Master, request: Request) -> Answer:
    """`core.TrainContext.get_experiment_best_validation`: whether a checkpoint is the best one so far."""
    with master.changed:
        best = (experiment := master.experiment(request.number("experiment"))).best()
    if best is None:
        raise Refused(404, "no validation metrics yet")
    return {"metric": best[1].values[experiment.metric]}


def steer_to(state: str) -> Callable[[Master, Request], Answer]:
    """`det experiment pause`, `activate`, `cancel` or `kill`."""

    def steer(master: Master, request: Request) -> Answer:
        master.steer(master.experiment(request.number("experiment")), state)
        return {}

    return steer


def go_on(master: Master, request: Request) -> Answer:
    """`det experiment continue`: an ended experiment of one trial goes on, with other settings if they are given."""
    with master.changed:
        experiment = master.experiment(request.body["id"])
        given = util.safe_load_yaml_with_exceptions(request.body.get("overrideConfig") or "{}") or {}
        if experiment.config["searcher"]["name"] != "single":
            raise Refused(400, "the stand-in continues experiments of one trial only")
        if experiment.state not in records.TERMINAL:
            raise Refused(400, f"experiment '{experiment.id}' has not ended")
        if given.get("searcher", {}).get("name", "single") != "single":
            raise Refused(400, "the searcher's name can't be changed")
        master.go_on(experiment, complete(json.dumps(laid_over(experiment.config, given)), master.storage))
        now = told.experiment(experiment)
    return bindings.v1ContinueExperimentResponse(experiment=now).to_json(True)


_ONE = "/api/v1/experiments/{experiment}"

ROUTES = [
    Route(method="POST", path="/api/v1/experiments", handler=create),
    Route(method="GET", path="/api/v1/experiments", handler=every),
    Route(method="POST", path="/api/v1/experiments/continue", handler=go_on),
    Route(method="GET", path=_ONE, handler=describe),
    Route(method="GET", path=f"{_ONE}/trials", handler=trials),
    Route(method="GET", path=f"{_ONE}/searcher/best_searcher_validation_metric", handler=best_validation),
    Route(method="POST", path=f"{_ONE}/pause", handler=steer_to(records.PAUSED)),
    Route(method="POST", path=f"{_ONE}/activate", handler=steer_to(records.ACTIVE)),
    Route(method="POST", path=f"{_ONE}/cancel", handler=steer_to("STOPPING_CANCELED")),
    Route(method="POST", path=f"{_ONE}/kill", handler=steer_to("STOPPING_KILLED")),
]
