"""Checkpoints that an ended experiment keeps: `save_experiment_best`, `save_trial_best`, `save_trial_latest`."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tests.cluster.records import Checkpoint, Experiment, Metrics

if TYPE_CHECKING:
    from tests.cluster.master import Master


def collect(master: Master, experiment: Experiment) -> None:
    """Have the checkpoints of an ended experiment deleted, but for those to keep and those that trials begin from."""
    saved = [one for one in master.checkpoints.values() if not one.deleted]
    own = [one for one in saved if master.trials[one.trial_id].experiment_id == experiment.id]
    kept = _kept(experiment, own) | {trial.warm_start for trial in master.trials.values()}
    uuids = [one.uuid for one in own if one.uuid not in kept]
    if uuids:
        master.deleting.add(experiment.id)
        threading.Thread(target=_delete, args=(master, experiment, uuids), daemon=True).start()


def _delete(master: Master, experiment: Experiment, uuids: list[str]) -> None:
    try:
        master.agent.delete(master, experiment, uuids)
    except RuntimeError as error:
        master.broken.append(str(error))
    with master.changed:
        master.deleting.remove(experiment.id)
        master.changed.notify_all()


def _kept(experiment: Experiment, checkpoints: list[Checkpoint]) -> set[str | None]:
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
