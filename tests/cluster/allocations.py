"""What a trial's containers ask of the master while they run."""

from __future__ import annotations

import base64
from typing import Any

from determined.common.api import bindings

from tests.cluster.answers import Answer, Refused, Request
from tests.cluster.master import Master
from tests.cluster.server import Route


def context_directory(master: Master, request: Request) -> Answer:
    """The uploaded context as an archive: `determined.exec.prep_container --download_context_directory`."""
    for trial in master.trials.values():
        if trial.task_id == request.path["task"]:
            packed = base64.b64encode(master.experiments[trial.experiment_id].context).decode()
            return bindings.v1GetTaskContextDirectoryResponse(b64Tgz=packed).to_json(True)
    raise Refused(404, f"task '{request.path['task']}' not found")


def accelerators(master: Master, request: Request) -> Answer:
    """The devices that a container has found: `determined.exec.prep_container --resources`."""
    master.allocation(request.path["allocation"])
    return {}


def rendezvous(master: Master, request: Request) -> Answer:
    """Where the other containers are, once all have asked: `determined.exec.prep_container --rendezvous`."""
    with master.changed:
        allocation = master.allocation(request.path["allocation"])
        asking = request.path["resources"]
        arrived = allocation.gathered.setdefault("rendezvous", set())
        arrived.add(asking)
        master.changed.notify_all()
        _wait(master, lambda: len(arrived) == len(allocation.slots))
        found = bindings.v1RendezvousInfo(
            addresses=["127.0.0.1"] * len(allocation.slots), rank=allocation.resources.index(asking),
            slots=allocation.slots,
        )  # fmt: skip
        return bindings.v1AllocationRendezvousInfoResponse(rendezvousInfo=found).to_json(True)


def all_gather(master: Master, request: Request) -> Answer:
    """Everybody's data to everybody. Other clusters' rendezvous (Slurm, Kubernetes) is made of it."""
    with master.changed:
        sent: dict[str, Any] = master.allocation(request.path["allocation"]).gathered.setdefault("data", {})
        sent[request.body["requestUuid"]] = request.body["data"]
        master.changed.notify_all()
        _wait(master, lambda: len(sent) >= request.body["numPeers"])
        return bindings.v1AllocationAllGatherResponse(data=list(sent.values())).to_json(True)


def preemption(master: Master, request: Request) -> Answer:
    """Whether to save and leave, as soon as it is so: the thread of `core.PreemptContext` asks all the time."""
    with master.changed:
        allocation = master.allocation(request.path["allocation"])
        master.wait_for(lambda: allocation.preempt or allocation.killed, float(request.query["timeout_seconds"]))
        return {"preempt": allocation.preempt}


def acknowledge(master: Master, request: Request) -> Answer:
    """The trial has seen it and will leave: `core.PreemptContext.should_preempt`, by itself."""
    with master.changed:
        master.allocation(request.path["allocation"]).acknowledged = True
    return {}


def _wait(master: Master, done: Any) -> None:
    if not master.wait_for(done, timeout=600):
        raise Refused(504, "the other containers have not come")


ROUTES = [
    Route(method="GET", path="/api/v1/tasks/{task}/context_directory", handler=context_directory),
    Route(method="POST", path="/api/v1/allocations/{allocation}/acceleratorData", handler=accelerators),
    Route(method="GET", path="/api/v1/allocations/{allocation}/resources/{resources}/rendezvous", handler=rendezvous),
    Route(method="POST", path="/api/v1/allocations/{allocation}/all_gather", handler=all_gather),
    Route(method="GET", path="/api/v1/allocations/{allocation}/signals/preemption", handler=preemption),
    Route(method="POST", path="/api/v1/allocations/{allocation}/signals/ack_preemption", handler=acknowledge),
]
