"""A trial that begins with another trial's checkpoint: `searcher.source_trial_id` and `source_checkpoint_uuid`.

Determined promises the weights ("will be initialized to the most recent checkpoint of the given trial"), and counts
the new trial's batches from 0. So the optimizer, the schedule and the data begin anew too: as with `use_pretrained`.
"""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import determined as det
from determined import core

from model_def.errors import ExperimentError, Problem, WeightsError
from model_def.experiment_types import Experiment
from model_def.weights import clean_file
from model_def.weights.unpickle import check_plain

FIELDS = ("source_trial_id", "source_checkpoint_uuid")


@dataclasses.dataclass(frozen=True, kw_only=True)
class WarmStart:
    """The weights of another trial's checkpoint.

    Attributes:
        uuid: the checkpoint's.
        weights: a clean file of them (see `weights.clean_file`).
    """

    uuid: str
    weights: Path


def warm_start(checkpoints: core.CheckpointContext, trial: det.TrialInfo, uuid: str | None) -> WarmStart | None:
    """What the trial begins with, if the checkpoint `uuid` that its master names is not its own.

    All processes must call it together.

    Raises:
        WeightsError: it is none of ours.
    """
    asked = [field for field in FIELDS if trial._config["searcher"].get(field)]
    if uuid is None or not asked or trial._steps_completed:
        return None
    with checkpoints.restore_path(uuid) as folder:
        if _trial_id(folder) == trial.trial_id:  # it was saved before the first batch
            return None
        return WarmStart(uuid=uuid, weights=_weights(folder, uuid, asked[0]))


def _trial_id(folder: Path) -> int | None:
    path = folder / "trial_state.pkl"
    if not path.is_file():
        return None
    check_plain(path)
    trial_id: int | None = pickle.loads(path.read_bytes()).get("trial_id")
    return trial_id


def _weights(folder: Path, uuid: str, field: str) -> Path:
    path = folder / "model.pth"
    if not path.is_file():
        raise WeightsError(
            what="the checkpoint to start from is none of ours: it has no model.pth",
            value=uuid,
            where=f"searcher.{field}",
            allowed="a trial that this package has trained, or the UUID of one of its checkpoints",
            next="give the weights as a file instead: hyperparameters.use_pretrained",
        )
    return clean_file(path)


def begun_with(experiment: Experiment, start: WarmStart | None) -> Experiment:
    """The experiment, starting from these weights, which it says."""
    if start is None:
        return experiment
    replaced = ", in place of use_pretrained" if experiment.hyperparameters.use_pretrained else ""
    note = (
        f"begins with the weights of checkpoint {start.uuid}, another trial's{replaced}; optimizer, schedule and data "
        "begin anew; `det experiment continue` goes on exactly"
    )
    hyperparameters = dataclasses.replace(experiment.hyperparameters, use_pretrained=str(start.weights))
    return dataclasses.replace(experiment, hyperparameters=hyperparameters, notes=(*experiment.notes, note))


def refuse_off_cluster(experiment: Experiment) -> None:
    """There is no master here that knows other trials.

    Raises:
        ExperimentError: the experiment asks for one's checkpoint.
    """
    problems = [
        Problem(
            what=f"`searcher.{field}` begins with a checkpoint that a cluster keeps, and this is none",
            value=experiment.searcher.raw[field],
            where=experiment.where("searcher", field),
            allowed="a file of weights: hyperparameters.use_pretrained",
            next=f"add searcher.{field}=null use_pretrained=PATH/model.pth (model_def.load_model(UUID) fetches one)",
        )
        for field in FIELDS
        if experiment.searcher.raw.get(field)
    ]
    if problems:
        raise ExperimentError.of(problems)
