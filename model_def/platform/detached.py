"""Detached mode: a run of this machine that a Determined master shows, with its metrics and its progress.

Checkpoints, TensorBoard files and logs stay here. Training never waits for the master and never fails with it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import determined as det
from determined.common import util
from determined.common.api import bindings

from model_def.errors import Stopped, UserError
from model_def.experiment_types import Experiment
from model_def.platform.local import LocalTrainContext, TrainContext
from model_def.platform.master import logged_in, reached, refusals
from model_def.platform.sender import Sender
from model_def.state.plain import json_number

FILE = "master.json"  # in the run's directory: which trial of which master shows it
State = bindings.trialv1State


@contextlib.contextmanager
def shown_by(master: str | None, experiment: Experiment, *, chief: bool) -> Iterator[TrainContext]:
    """Makes the train context of a run that the master at this URL shows; without one, the usual one.

    Raises:
        UserError: nobody answers there or knows us, it is a master of another version, or it refuses the experiment.
    """
    if master is None or not chief:
        yield LocalTrainContext
        return
    trial = _Trial(master, experiment)
    try:
        yield functools.partial(_DetachedTrainContext, trial=trial)
    except Stopped:
        trial.end(State.PAUSED)
        raise
    except BaseException:
        trial.end(State.ERROR)
        raise
    trial.end(State.COMPLETED)


class _Trial:
    """The master's trial for this run. It is made before the first batch, when all else has worked."""

    def __init__(self, url: str, experiment: Experiment) -> None:
        self._session = logged_in(url)._session
        self._config, self._hparams = _config(experiment), experiment.raw["hyperparameters"]
        self._check_version()
        self._create(validate_only=True)
        self._id = self._run = 0
        self._sender: Sender | None = None

    def _check_version(self) -> None:
        theirs = bindings.get_GetMaster(self._session).version
        if theirs.split(".")[:2] != det.__version__.split(".")[:2]:
            raise UserError(
                what="this is a master of another version",
                value=theirs,
                where=f"--master {self._session.master}",
                allowed=f"{det.__version__}, the version of the `determined` package here",
                next="train without --master",
            )

    def _create(self, *, validate_only: bool = False) -> int:
        body = bindings.v1CreateExperimentRequest(config=self._config, unmanaged=True, validateOnly=validate_only)
        with reached(self._session.master), refusals(self._session.master):
            return bindings.post_CreateExperiment(self._session, body=body).experiment.id

    def begin(self, directory: Path) -> None:
        """Make the trial, or go on with the one that has shown this run before. Only the first call counts."""
        if self._sender is not None:
            return
        file = directory / FILE
        known = json.loads(file.read_text()) if file.is_file() else {}
        with reached(self._session.master), refusals(self._session.master):
            if known.get("master") != self._session.master:
                known = self._new()
                file.write_text(json.dumps(known))
            self._id = known["trial"]
            start = bindings.v1StartTrialRequest(trialId=self._id, resume=True)
            self._run = bindings.post_StartTrial(self._session, body=start, trialId=self._id).trialRunId
        lost = "the master no longer takes what this run reports; it is all in metrics.jsonl"
        self._sender = Sender(beat=self._patch, lost=lost)
        print(f"shown at {self._session.master}/det/experiments/{known['experiment']}", file=sys.stderr, flush=True)

    def _new(self) -> dict[str, Any]:
        number = self._create()
        body = bindings.v1CreateTrialRequest(experimentId=number, hparams=self._hparams, unmanaged=True)
        trial = bindings.post_CreateTrial(self._session, body=body).trial.id
        return {"master": self._session.master, "experiment": number, "trial": trial}

    def report(self, group: str, steps_completed: int, metrics: Mapping[str, Any]) -> None:
        """Metrics of a group, such as `training` or `validation`; what is no number is left out."""
        values = {name: json_number(value) for name, value in metrics.items()}
        numbers = bindings.v1Metrics(avgMetrics={name: value for name, value in values.items() if value is not None})
        told = bindings.v1TrialMetrics(
            metrics=numbers, trialId=self._id, stepsCompleted=steps_completed, trialRunId=self._run
        )
        body = bindings.v1ReportTrialMetricsRequest(metrics=told, group=group)
        self._send(bindings.post_ReportTrialMetrics, self._session, body=body, metrics_trialId=self._id)

    def progress(self, part: float) -> None:
        """How much is done, 0 to 1."""
        body = {"progress": part, "is_raw": True}
        self._send(self._session.post, f"/api/v1/trials/{self._id}/progress", json=body)

    def end(self, state: State) -> None:
        """The run has ended in this state."""
        self._send(self._patch, state)
        if self._sender is not None:
            self._sender.close()

    def _patch(self, state: State | None = None) -> None:
        body = bindings.v1PatchTrialRequest(trialId=self._id, **({} if state is None else {"state": state}))
        bindings.patch_PatchTrial(self._session, body=body, trialId=self._id)

    def _send(self, call: Any, *arguments: Any, **options: Any) -> None:
        if self._sender is not None:
            self._sender.put(functools.partial(call, *arguments, **options))


class _DetachedTrainContext(LocalTrainContext):
    """Writes everything here, and tells the master."""

    def __init__(self, *arguments: Any, trial: _Trial) -> None:
        super().__init__(*arguments)
        self._trial = trial

    def set_status(self, status: str) -> None:
        """The first thing that the controller says."""
        self._trial.begin(self._run.path)

    def report_progress(self, progress: float) -> None:
        """For the master's progress bar."""
        self._trial.progress(progress)

    def report_training_metrics(self, steps_completed: int, metrics: dict[str, Any], batch_metrics: Any = None) -> None:
        """Here and there."""
        super().report_training_metrics(steps_completed, metrics, batch_metrics)
        self._trial.report("training", steps_completed, metrics)

    def report_metrics(self, group: str, steps_completed: int, metrics: dict[str, Any]) -> None:
        """Here and there."""
        super().report_metrics(group, steps_completed, metrics)
        self._trial.report(group, steps_completed, metrics)

    def report_validation_metrics(self, steps_completed: int, metrics: dict[str, Any]) -> None:
        """Here and there."""
        super().report_validation_metrics(steps_completed, metrics)
        self._trial.report("validation", steps_completed, metrics)


def _config(experiment: Experiment) -> str:
    """What a master is told of an experiment that it does not run."""
    searcher = experiment.searcher
    kept = {key: experiment.raw.get(key) for key in ("description", "labels", "workspace", "project")}
    return str(
        util.yaml_safe_dump(
            {
                "name": experiment.name,
                "searcher": {
                    "name": "single",
                    "metric": searcher.metric,
                    "smaller_is_better": searcher.smaller_is_better,
                },
                **{key: value for key, value in kept.items() if value is not None},
            }
        )
    )
