"""Records in the types of the protocol."""

from __future__ import annotations

from typing import Any

from determined.common.api import bindings

from tests.cluster import records
from tests.cluster.records import Checkpoint, Experiment, Metrics, Trial


def unmade(config: dict[str, Any], original: str) -> bindings.v1Experiment:
    """An experiment that was only checked."""
    return _experiment(config, original, id=0, state=records.PAUSED, started=records.now(), trials=[])


def experiment(found: Experiment) -> bindings.v1Experiment:
    """An experiment as it is now."""
    told = _experiment(
        found.config, found.original, id=found.id, state=found.state, started=found.started, trials=found.trials
    )
    told.endTime = found.ended
    progress = [1.0 if trial.state in records.TERMINAL else trial.progress for trial in found.trials]
    told.progress = sum(progress) / max(len(progress), 1)
    best = found.best()
    if best is not None:
        told.bestTrialId, told.bestTrialSearcherMetric = best[0].id, best[1].values[found.metric]
    return told


def _experiment(
    config: dict[str, Any], original: str, *, id: int, state: str, started: str, trials: list[Trial]
) -> bindings.v1Experiment:
    return bindings.v1Experiment(
        archived=False, config=config, id=id, jobId=f"job-{id}", name=config["name"], numTrials=len(trials),
        originalConfig=original, projectId=1, projectOwnerId=1, searcherType=config["searcher"]["name"],
        startTime=started, state=bindings.experimentv1State(f"STATE_{state}"), username="determined",
        description=config["description"], hyperparameters=config["hyperparameters"], labels=config["labels"],
        resourcePool="default", searcherMetric=config["searcher"]["metric"], trialIds=[trial.id for trial in trials],
        workspaceId=1,
    )  # fmt: skip


def trial(found: Trial) -> bindings.trialv1Trial:
    """A trial as it is now."""
    validation = found.latest("validation")
    return bindings.trialv1Trial(
        experimentId=found.experiment_id, hparams=found.hparams, id=found.id, restarts=found.restarts,
        startTime=found.started, endTime=found.ended, state=bindings.trialv1State(f"STATE_{found.state}"),
        totalBatchesProcessed=max((metrics.steps_completed for metrics in found.metrics if not metrics.archived),
                                  default=0),
        logPolicyMatched=found.policy, runnerState=found.runner_state, taskId=found.task_id, taskIds=[found.task_id],
        warmStartCheckpointUuid=found.warm_start,
        latestValidation=None if validation is None else _workload(validation),
    )  # fmt: skip


def workloads(found: Trial, checkpoints: list[Checkpoint]) -> list[bindings.v1WorkloadContainer]:
    """What a trial has reported and still counts, by batches."""
    told = [
        *((one, bindings.v1WorkloadContainer(training=_workload(one))) for one in found.of("training")),
        *((one, bindings.v1WorkloadContainer(validation=_workload(one))) for one in found.of("validation")),
        *((one, bindings.v1WorkloadContainer(checkpoint=_saved(one))) for one in checkpoints),
    ]
    return [container for _, container in sorted(told, key=lambda pair: pair[0].steps_completed)]


def _saved(checkpoint: Checkpoint) -> bindings.v1CheckpointWorkload:
    report = checkpoint.report
    return bindings.v1CheckpointWorkload(
        state=bindings.checkpointv1State(report["state"]), totalBatches=checkpoint.steps_completed, uuid=report["uuid"],
        endTime=report.get("reportTime"), metadata=report["metadata"], resources=report["resources"],
    )  # fmt: skip


def _workload(metrics: Metrics) -> bindings.v1MetricsWorkload:
    values = bindings.v1Metrics(avgMetrics=metrics.values)
    return bindings.v1MetricsWorkload(
        metrics=values, numInputs=0, totalBatches=metrics.steps_completed, endTime=metrics.time
    )
