"""Checkpoints that an ended experiment keeps: `save_experiment_best`, `save_trial_best`, `save_trial_latest`."""

from __future__ import annotations

from collections.abc import Iterable

from determined.common import storage

from tests.cluster.records import Checkpoint, Experiment, Metrics


def collect(experiment: Experiment, checkpoints: list[Checkpoint], warm_starts: set[str | None]) -> None:
    """Remove the checkpoints of an experiment that it need not keep; their files if they are in a shared folder.

    Args:
        experiment: it has ended.
        checkpoints: all of its.
        warm_starts: the checkpoints that trials have begun from, which stay.
    """
    settings = experiment.config["checkpoint_storage"]
    kept = _kept(experiment, checkpoints)
    superfluous = [one for one in checkpoints if one.uuid not in kept and one.uuid not in warm_starts]
    for checkpoint in superfluous:
        if settings["type"] == "shared_fs":  # a master has no access to buckets and to containers' own folders
            storage.build(settings, container_path=None).delete(checkpoint.uuid, ["**/*"])
        checkpoint.report |= {"state": "STATE_DELETED", "resources": {}}


def _kept(experiment: Experiment, checkpoints: list[Checkpoint]) -> set[str]:
    settings = experiment.config["checkpoint_storage"]
    found = {one.uuid: validation for one in checkpoints if (validation := _validation(experiment, one))}
    ranked = sorted(
        (one for one in checkpoints if one.uuid in found), key=lambda one: experiment.score(found[one.uuid])
    )
    kept = ranked[: settings["save_experiment_best"]]
    for trial in experiment.trials:
        own = [one for one in ranked if one.trial_id == trial.id]
        kept += own[: settings["save_trial_best"]] + _latest(own)[: settings["save_trial_latest"]]
    # The platform counts those without a validation together, whosever they are.
    kept += _latest(one for one in checkpoints if one.uuid not in found)[: settings["save_trial_latest"]]
    return {one.uuid for one in kept}


def _latest(checkpoints: Iterable[Checkpoint]) -> list[Checkpoint]:
    return sorted(checkpoints, key=lambda one: -one.steps_completed)


def _validation(experiment: Experiment, checkpoint: Checkpoint) -> Metrics | None:
    [trial] = [trial for trial in experiment.trials if trial.id == checkpoint.trial_id]
    found = [one for one in trial.of("validation") if one.steps_completed == checkpoint.steps_completed]
    return found[-1] if found and experiment.metric in found[-1].values else None
