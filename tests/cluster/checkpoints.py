"""Checkpoints: reported by trials, found again."""

from __future__ import annotations

from typing import Any

from determined.common.api import bindings

from tests.cluster.answers import Answer, Refused, Request
from tests.cluster.master import Master
from tests.cluster.records import Checkpoint
from tests.cluster.server import Route


def report(master: Master, request: Request) -> Answer:
    """`core.CheckpointContext.store_path` and `upload`, once the files are in the storage."""
    with master.changed:
        owner = next(trial for trial in master.trials.values() if trial.task_id == request.body["taskId"])
        uuid = request.body["uuid"]
        master.checkpoints[uuid] = Checkpoint(uuid=uuid, trial_id=owner.id, report=request.body)
        master.changed.notify_all()
    return {}


def describe(master: Master, request: Request) -> Answer:
    """`core.CheckpointContext.get_metadata`, `det checkpoint describe`, the SDK's `get_checkpoint`."""
    with master.changed:
        if request.path["uuid"] not in master.checkpoints:
            raise Refused(404, f"checkpoint '{request.path['uuid']}' not found")
        return {"checkpoint": _told(master, master.checkpoints[request.path["uuid"]])}


def patch(master: Master, request: Request) -> Answer:
    """`exec.gc_checkpoints`, once it has deleted files."""
    with master.changed:
        for one in request.body["checkpoints"]:
            resources = one["resources"]["resources"]
            state = "STATE_PARTIALLY_DELETED" if resources else "STATE_DELETED"
            master.checkpoints[one["uuid"]].report |= {"state": state, "resources": resources}
        master.changed.notify_all()
    return {}


def of_trial(master: Master, request: Request) -> Answer:
    """The SDK's `Trial.list_checkpoints`."""
    return _list(master, {request.number("trial")})


def of_experiment(master: Master, request: Request) -> Answer:
    """`det experiment list-checkpoints`, the SDK's `Experiment.list_checkpoints`."""
    return _list(master, {trial.id for trial in master.experiment(request.number("experiment")).trials})


def _list(master: Master, trials: set[int]) -> Answer:
    with master.changed:
        found = [checkpoint for checkpoint in master.checkpoints.values() if checkpoint.trial_id in trials]
        told = [_told(master, checkpoint) for checkpoint in found]
    return {"checkpoints": told, "pagination": {"total": len(told), "offset": 0, "limit": 0, "endIndex": len(told)}}


def _told(master: Master, checkpoint: Checkpoint) -> dict[str, Any]:
    trial = master.trial(checkpoint.trial_id)
    experiment = master.experiment(trial.experiment_id)
    validation = [
        metrics for metrics in trial.of("validation") if metrics.steps_completed == checkpoint.steps_completed
    ]
    training = bindings.v1CheckpointTrainingMetadata(
        trialId=trial.id, experimentId=experiment.id, experimentConfig=experiment.config, hparams=trial.hparams,
        validationMetrics=bindings.v1Metrics(avgMetrics=validation[-1].values if validation else {}),
        searcherMetric=validation[-1].values.get(experiment.metric) if validation else None,
    )  # fmt: skip
    return {**checkpoint.report, "training": training.to_json(True)}


ROUTES = [
    Route(method="POST", path="/api/v1/checkpoints", handler=report),
    Route(method="PATCH", path="/api/v1/checkpoints", handler=patch),
    Route(method="GET", path="/api/v1/checkpoints/{uuid}", handler=describe),
    Route(method="GET", path="/api/v1/trials/{trial}/checkpoints", handler=of_trial),
    Route(method="GET", path="/api/v1/experiments/{experiment}/checkpoints", handler=of_experiment),
]
