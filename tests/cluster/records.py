"""What a master keeps of its experiments. In memory; who changes it holds the cluster's lock."""

from __future__ import annotations

import dataclasses
import datetime
import random
import secrets
from typing import Any

ACTIVE, PAUSED, COMPLETED, CANCELED, ERROR = "ACTIVE", "PAUSED", "COMPLETED", "CANCELED", "ERROR"
TERMINAL = {COMPLETED, CANCELED, ERROR}
# What a stop ends in, as the platform has it: a kill counts as cancelled.
STOPPING = {"STOPPING_CANCELED": CANCELED, "STOPPING_KILLED": CANCELED, "STOPPING_COMPLETED": COMPLETED}


def now() -> str:
    """This moment in the form of the protocol."""
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Create:
    """A trial that a search asks for; the bracket is adaptive_asha's."""

    hparams: dict[str, Any]
    bracket: int = 0


@dataclasses.dataclass(kw_only=True)
class Checkpoint:
    """A checkpoint that a trial has reported, as it was reported."""

    uuid: str
    trial_id: int
    report: dict[str, Any]

    @property
    def steps_completed(self) -> int:
        return int(self.report["metadata"]["steps_completed"])

    @property
    def deleted(self) -> bool:
        return bool(self.report["state"] == "STATE_DELETED")


@dataclasses.dataclass(kw_only=True)
class Metrics:
    """One report of metrics. Those of a run that a restart has taken back are archived."""

    group: str
    steps_completed: int
    values: dict[str, Any]
    run_id: int
    time: str = dataclasses.field(default_factory=now)
    archived: bool = False


@dataclasses.dataclass(kw_only=True)
class LogLine:
    """One line of a trial's log."""

    text: str
    stream: str
    rank: int | None = None
    time: str = dataclasses.field(default_factory=now)


@dataclasses.dataclass(kw_only=True)
class Allocation:
    """One run of a trial: the nodes of its containers, their slots there, and what was asked of it."""

    id: str
    trial_id: int
    nodes: list[str]
    slots: list[int]
    token: str = dataclasses.field(default_factory=lambda: secrets.token_hex(16))
    preempt: bool = False
    acknowledged: bool = False
    killed: bool = False
    exits: list[int | None] = dataclasses.field(default_factory=list)
    gathered: dict[str, Any] = dataclasses.field(default_factory=dict)
    processes: list[Any] = dataclasses.field(default_factory=list)

    @property
    def resources(self) -> list[str]:
        """The name of each container's share, in the order of ranks."""
        return [f"{self.id}-{rank}" for rank in range(len(self.slots))]


@dataclasses.dataclass(kw_only=True)
class Trial:
    """One trial of an experiment."""

    id: int
    experiment_id: int
    hparams: dict[str, Any]
    bracket: int = 0
    seed: int
    state: str = ACTIVE
    restarts: int = 0
    run_id: int = 0
    progress: float = 0.0
    runner_state: str = "UNSPECIFIED"
    exit_reason: str | None = None
    policy: str | None = None  # the name of a log policy that has matched
    no_retries: dict[str, str] = dataclasses.field(default_factory=dict)  # the patterns that did, and the lines
    excluded: set[tuple[str, str]] = dataclasses.field(default_factory=set)  # nodes to avoid, and the patterns
    warm_start: str | None = None
    started: str = dataclasses.field(default_factory=now)
    ended: str | None = None
    allocation: Allocation | None = None
    metrics: list[Metrics] = dataclasses.field(default_factory=list)
    logs: list[LogLine] = dataclasses.field(default_factory=list)

    @property
    def task_id(self) -> str:
        return f"{self.experiment_id}.trial-{self.id}"

    def latest(self, group: str) -> Metrics | None:
        """The newest metrics of a group that still count."""
        return max(self.of(group), key=lambda metrics: metrics.steps_completed, default=None)

    def of(self, group: str) -> list[Metrics]:
        """The metrics of a group that still count."""
        return [metrics for metrics in self.metrics if metrics.group == group and not metrics.archived]


@dataclasses.dataclass(kw_only=True)
class Experiment:
    """One experiment: its configuration as the master has completed it, its context and its trials."""

    id: int
    config: dict[str, Any]
    original: str
    context: bytes
    state: str
    random: random.Random
    search: Any
    trials: list[Trial] = dataclasses.field(default_factory=list)
    started: str = dataclasses.field(default_factory=now)
    ended: str | None = None

    @property
    def metric(self) -> str:
        return str(self.config["searcher"]["metric"])

    def score(self, metrics: Metrics) -> float:
        """The searcher's metric of a validation, so that less is better."""
        value = float(metrics.values[self.metric])
        return value if self.config["searcher"]["smaller_is_better"] else -value

    def best(self) -> tuple[Trial, Metrics] | None:
        """The best validation so far, and whose it is."""
        pairs = [(trial, metrics) for trial in self.trials for metrics in trial.of("validation")]
        return min(pairs, key=lambda pair: self.score(pair[1]), default=None)
