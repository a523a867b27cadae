"""The stand-in's master: its experiments, and what happens to them."""

from __future__ import annotations

import pathlib
import random
import threading
import uuid
from collections.abc import Callable
from typing import Any

import determined

from tests.cluster import policies, records
from tests.cluster.answers import Refused
from tests.cluster.collection import collect
from tests.cluster.container import Agent
from tests.cluster.records import Allocation, Checkpoint, Create, Experiment, LogLine, Trial
from tests.cluster.search import make_search


class Master:
    """All that the endpoints read and change, holding `changed`, which is notified at each change.

    Attributes:
        unknown: the requests that no endpoint has answered. A test looks that there are none.
        broken: tracebacks of endpoints that failed.
        deleting: the experiments of which checkpoints are being deleted.
    """

    def __init__(self, agent: Agent, storage: pathlib.Path) -> None:
        self.id, self.version = str(uuid.uuid4()), determined.__version__
        self.agent, self.storage = agent, storage
        self.changed = threading.Condition(threading.RLock())
        self.users: dict[str, str] = {}
        self.experiments: dict[int, Experiment] = {}
        self.trials: dict[int, Trial] = {}
        self.checkpoints: dict[str, Checkpoint] = {}
        self.unknown: list[str] = []
        self.broken: list[str] = []
        self.deleting: set[int] = set()

    def login(self, user: str) -> str:
        """A new token of a user."""
        token = uuid.uuid4().hex
        self.users[token] = user
        return token

    def knows(self, token: str) -> bool:
        """Whether a token is a user's or a running trial's."""
        return token in self.users or any(allocation.token == token for allocation in self.allocations())

    # Finding

    def experiment(self, number: int) -> Experiment:
        """Raises Refused if there is none."""
        if number not in self.experiments:
            raise Refused(404, f"experiment '{number}' not found")
        return self.experiments[number]

    def trial(self, number: int) -> Trial:
        """Raises Refused if there is none."""
        if number not in self.trials:
            raise Refused(404, f"trial '{number}' not found")
        return self.trials[number]

    def allocations(self) -> list[Allocation]:
        """Those that run."""
        return [trial.allocation for trial in self.trials.values() if trial.allocation]

    def allocation(self, name: str) -> Allocation:
        """Raises Refused if none of that name runs."""
        for allocation in self.allocations():
            if allocation.id == name:
                return allocation
        raise Refused(404, f"allocation '{name}' not found")

    def wait_for(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until something is so; returns whether it is."""
        with self.changed:
            return self.changed.wait_for(done, timeout)

    def create(self, config: dict[str, Any], original: str, context: bytes, *, activate: bool) -> Experiment:
        """A new experiment with the trials that its search begins with."""
        state = records.ACTIVE if activate else records.PAUSED
        with self.changed:
            experiment = Experiment(
                id=len(self.experiments) + 1, config=config, original=original, context=context, state=state,
                random=random.Random(config["reproducibility"]["experiment_seed"]), search=make_search(config),
            )  # fmt: skip
            self.experiments[experiment.id] = experiment
            self._add(experiment, experiment.search.first())
            self.schedule()
            self.changed.notify_all()
        return experiment

    def go_on(self, experiment: Experiment, config: dict[str, Any]) -> None:
        """Activate an ended experiment of one trial again, with another configuration."""
        with self.changed:
            experiment.config, experiment.state, experiment.ended = config, records.ACTIVE, None
            [trial] = experiment.trials
            experiment.search = make_search(config)
            [create] = experiment.search.first()
            trial.hparams, trial.state, trial.ended, trial.exit_reason = create.hparams, records.ACTIVE, None, None
            trial.restarts, trial.no_retries, trial.excluded = 0, {}, set()
            self.schedule()
            self.changed.notify_all()

    def _add(self, experiment: Experiment, creates: list[Create]) -> None:
        for create in creates:
            seed = experiment.random.randrange(2**31)
            trial = Trial(
                id=len(self.trials) + 1, experiment_id=experiment.id, hparams=create.hparams, bracket=create.bracket,
                seed=seed, warm_start=self._warm_start(experiment), state=experiment.state,
            )  # fmt: skip
            self.trials[trial.id] = trial
            experiment.trials.append(trial)

    def _warm_start(self, experiment: Experiment) -> str | None:
        searcher = experiment.config["searcher"]
        if searcher["source_trial_id"] is not None:
            found = self.latest_checkpoint(self.trial(searcher["source_trial_id"]))
            return found.uuid if found else None
        uuid_ = searcher["source_checkpoint_uuid"]
        return None if uuid_ is None else str(uuid_)

    def latest_checkpoint(self, trial: Trial) -> Checkpoint | None:
        """Where a trial goes on from."""
        own = [one for one in self.checkpoints.values() if one.trial_id == trial.id and not one.deleted]
        return max(own, key=lambda checkpoint: checkpoint.steps_completed, default=None)

    # What runs

    def schedule(self) -> None:
        """Start the active trials for which there are slots."""
        for trial in self.trials.values():
            if trial.state == records.ACTIVE and trial.allocation is None:
                self._start(trial)

    def _start(self, trial: Trial) -> None:
        experiment = self.experiments[trial.experiment_id]
        share = self._share(trial, self.allocations())
        if share is None:
            return
        trial.run_id += 1
        name = f"{trial.task_id}.{trial.run_id}"
        trial.allocation = Allocation(id=name, trial_id=trial.id, nodes=[*share], slots=[*share.values()])
        self.agent.start(self, experiment, trial, trial.allocation)

    def _share(self, trial: Trial, others: list[Allocation]) -> dict[str, int] | None:
        wanted = self.experiments[trial.experiment_id].config["resources"]["slots_per_trial"]
        return self.agent.share(wanted, others=others, excluded={node for node, _ in trial.excluded})

    def exited(self, trial: Trial, allocation: Allocation, codes: list[int]) -> None:
        """All containers of a run have ended: start it again, let it rest or end the trial.

        As the platform has it: a killed run and one that has acknowledged its preemption count neither as a failure
        nor as the end, any other end with code 0 is the trial's end, and a failure is restarted `max_restarts` times
        unless a line of the log has matched a policy that forbids it.
        """
        with self.changed:
            trial.allocation = None
            failed = any(codes) and not allocation.killed and not allocation.acknowledged
            if trial.state in records.STOPPING:
                self._end(trial, records.ERROR if failed else records.STOPPING[trial.state])
            elif failed and trial.no_retries:
                for line in policies.last_words(trial):
                    self.log(trial, line)
                self._end(trial, records.ERROR)
            elif failed:
                trial.restarts += 1
                most = self.experiments[trial.experiment_id].config["max_restarts"]
                if trial.restarts > most or self._share(trial, []) is None:  # policies may exclude too many nodes
                    trial.restarts = min(trial.restarts, most)
                    self._end(trial, records.ERROR)
            elif (not allocation.killed and not allocation.acknowledged) or trial.exit_reason is not None:
                self._end(trial, records.COMPLETED)
            self.schedule()
            self.changed.notify_all()

    def _end(self, trial: Trial, state: str) -> None:
        trial.state, trial.ended = state, records.now()
        experiment = self.experiments[trial.experiment_id]
        if experiment.state not in records.STOPPING:
            self._add(experiment, experiment.search.ended(trial))
        states = {other.state for other in experiment.trials}
        if states <= records.TERMINAL:
            end = records.STOPPING.get(experiment.state, records.COMPLETED)
            experiment.state = states.pop() if states in ({records.ERROR}, {records.CANCELED}) else end
            experiment.ended = records.now()
            collect(self, experiment)

    def log(self, trial: Trial, text: str, *, stream: str = "stdout", rank: int | None = None, node: str = "") -> None:
        """A line of a trial's log; `node` is where the trial has written it, empty if the master does."""
        asked = self.experiments[trial.experiment_id].config["log_policies"] if node else []
        with self.changed:
            trial.logs.append(LogLine(text=text, stream=stream, rank=rank))
            for line in policies.watch(trial, asked, text, node):
                self.log(trial, line)
            self.changed.notify_all()

    def validated(self, trial: Trial, values: dict[str, Any]) -> None:
        """Tell the search of a validation. A trial that it stops is not preempted: 0.38.1 only notes the new state."""
        experiment = self.experiments[trial.experiment_id]
        if experiment.state in records.STOPPING:
            return
        stop, creates = experiment.search.validated(trial, values)
        if stop and trial.state == records.ACTIVE:
            trial.state = "STOPPING_COMPLETED"
        self._add(experiment, creates)
        self.schedule()

    def steer(self, experiment: Experiment, state: str) -> None:
        """Pause, activate or stop an experiment and all of its trials; a stop stays one."""
        with self.changed:
            if experiment.state in records.TERMINAL:
                raise Refused(400, f"experiment '{experiment.id}' in terminal state")
            if experiment.state in records.STOPPING and state not in records.STOPPING:
                raise Refused(400, f"experiment '{experiment.id}' is stopping")
            experiment.state = state
            for trial in [trial for trial in experiment.trials if trial.state not in records.TERMINAL]:
                self._steer(trial, state)
            self.schedule()
            self.changed.notify_all()

    def steer_trial(self, trial: Trial, state: str) -> None:
        """Stop one trial."""
        with self.changed:
            if trial.state not in records.TERMINAL:
                self._steer(trial, state)
            self.changed.notify_all()

    def _steer(self, trial: Trial, state: str) -> None:
        trial.state = state
        if trial.allocation is None:
            if state in records.STOPPING:
                self._end(trial, records.STOPPING[state])
        elif state == "STOPPING_KILLED":
            trial.allocation.killed = True
            self.agent.kill(trial.allocation)
        elif state != records.ACTIVE:
            trial.allocation.preempt = True

    def stop(self) -> None:
        """Kill what runs, and wait for its end."""
        with self.changed:
            for experiment in self.experiments.values():
                if experiment.state not in records.TERMINAL:
                    self.steer(experiment, "STOPPING_KILLED")
        self.wait_for(lambda: not self.allocations() and not self.deleting, timeout=30)
