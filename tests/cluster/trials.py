"""Trials: what their processes report, and what is asked about them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from determined.common.api import bindings

from tests.cluster import records, told
from tests.cluster.answers import Answer, Refused, Request
from tests.cluster.master import Master
from tests.cluster.records import Metrics, Trial
from tests.cluster.server import Route

EXIT_PATIENCE = 10.0  # seconds, as the platform's


def describe(master: Master, request: Request) -> Answer:
    """`core.TrainContext._get_last_validation` when training begins; `det trial describe`, the SDK's `Trial`."""
    with master.changed:
        return bindings.v1GetTrialResponse(trial=told.trial(_trial(master, request))).to_json(True)


def prepare(master: Master, request: Request) -> Answer:
    """`core.init`: this run will report; the master notes the storage of its checkpoints."""
    master.trial(request.body["runId"])
    return bindings.v1RunPrepareForReportingResponse(storageId=1).to_json(True)


def runner_state(master: Master, request: Request) -> Answer:
    """`core.TrainContext.set_status`: training, validating, checkpointing."""
    with master.changed:
        _trial(master, request).runner_state = request.body["state"]
        master.changed.notify_all()
    return {}


def progress(master: Master, request: Request) -> Answer:
    """`core.TrainContext.report_progress`, from 0 to 1."""
    with master.changed:
        _trial(master, request).progress = request.body["progress"]
    return {}


def report(master: Master, request: Request) -> Answer:
    """`core.TrainContext.report_training_metrics` and its like.

    What an earlier run of the trial has reported for later batches, or in this group for this one, no longer counts:
    the trial has gone back to a checkpoint. System metrics (`core.ProfilerContext`) belong to no batch.
    """
    sent = request.body["metrics"]
    with master.changed:
        trial = _trial(master, request)
        if sent["trialRunId"] != trial.run_id:
            raise Refused(400, f"run {sent['trialRunId']} of trial {trial.id} is over")
        steps = sent.get("stepsCompleted") or 0
        measured = trial.metrics if request.body["group"] not in _OF_THE_MACHINE else ()
        for old in measured:
            again = old.steps_completed == steps and old.group == request.body["group"]
            if old.run_id < trial.run_id and (old.steps_completed > steps or again):
                old.archived = True
        values = sent["metrics"]["avgMetrics"]
        reported = Metrics(group=request.body["group"], steps_completed=steps, values=values, run_id=trial.run_id)
        trial.metrics.append(reported)
        if reported.group == "validation":
            master.validated(trial, values)
        master.changed.notify_all()
    return {}


def early_exit(master: Master, request: Request) -> Answer:
    """`core.TrainContext.report_early_exit`: the trial is about to exit. What still runs after a while is killed."""
    with master.changed:
        trial = _trial(master, request)
        if trial.exit_reason is not None:
            raise Refused(400, "an early exit was reported before")
        trial.exit_reason = request.body["reason"]
    killing = threading.Timer(EXIT_PATIENCE, master.steer_trial, [trial, "STOPPING_KILLED"])
    killing.daemon = True
    killing.start()
    return {}


def workloads(master: Master, request: Request) -> Answer:
    """`det experiment describe`, `det trial describe`: what the trial has reported, in order."""
    with master.changed:
        trial = _trial(master, request)
        saved = [checkpoint for checkpoint in master.checkpoints.values() if checkpoint.trial_id == trial.id]
        found = told.workloads(trial, saved)
    offset = int(request.query.get("offset", 0))
    page = bindings.v1Pagination(total=len(found), offset=offset, limit=0, startIndex=offset, endIndex=len(found))
    return bindings.v1GetTrialWorkloadsResponse(workloads=found[offset:], pagination=page).to_json(True)


def kill(master: Master, request: Request) -> Answer:
    """`det trial kill`."""
    with master.changed:
        master.steer_trial(_trial(master, request), "STOPPING_KILLED")
    return {}


def logs(master: Master, request: Request) -> Answer:
    """`det experiment logs`, `det trial logs` and `--follow`: the lines so far, or until the trial has ended."""
    trial = _trial(master, request)
    lines = _lines(master, trial, follow=request.follow)
    if request.follow or not int(request.query.get("limit") or 0):
        return lines
    found, limit = list(lines), int(request.query["limit"])
    newest_first = request.query.get("orderBy") == bindings.v1OrderBy.DESC.value
    return iter(found[::-1][:limit] if newest_first else found[:limit])


def _lines(master: Master, trial: Trial, *, follow: bool) -> Iterator[dict[str, Any]]:
    position = 0
    while True:
        with master.changed:
            while follow and len(trial.logs) == position and trial.state not in records.TERMINAL:
                master.changed.wait()
            new = trial.logs[position:]
        for number, line in enumerate(new, position):
            rank = "" if line.rank is None else f"[rank={line.rank}] "
            yield bindings.v1TrialLogsResponse(
                id=str(number), level=bindings.v1LogLevel.INFO, message=f"[{line.time}] {rank}|| {line.text}",
                timestamp=line.time, trialId=trial.id, log=line.text, rankId=line.rank, stdtype=line.stream,
            ).to_json(True)  # fmt: skip
        position += len(new)
        if not new:
            return


def _trial(master: Master, request: Request) -> Trial:
    return master.trial(request.number("trial"))


_OF_THE_MACHINE = ("gpu", "cpu", "memory", "disk", "network")
_ONE = "/api/v1/trials/{trial}"

ROUTES = [
    Route(method="GET", path=_ONE, handler=describe),
    Route(method="POST", path="/api/v1/runs/start", handler=prepare),
    Route(method="POST", path=f"{_ONE}/runner/metadata", handler=runner_state),
    Route(method="POST", path=f"{_ONE}/progress", handler=progress),
    Route(method="POST", path=f"{_ONE}/metrics", handler=report),
    Route(method="POST", path=f"{_ONE}/early_exit", handler=early_exit),
    Route(method="POST", path=f"{_ONE}/kill", handler=kill),
    Route(method="GET", path=f"{_ONE}/logs", handler=logs),
    Route(method="GET", path=f"{_ONE}/workloads", handler=workloads),
]
