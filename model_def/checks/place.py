"""Where, in the user's words, a data set's file or folder was chosen; and the folder that all of it is in."""

from __future__ import annotations

from typing import Any

from model_def.annotations import look_for
from model_def.assignments import OVERRIDES
from model_def.compose.datasets import is_local, is_relative, local
from model_def.errors import DataError
from model_def.experiment_types import Experiment


def place_of(experiment: Experiment, place: str, key: str) -> str:
    """The place of `key` (`ann_file`, `img_prefix`) of the data set or evaluator at the config path `place`.

    That is the override that sets it; else the key of the `dataset` short form; else the override that would set it.
    """
    name = "data_prefix.img" if key == "img_prefix" else key
    override = (*OVERRIDES, *place.split("."), *name.split("."))
    if experiment.hyperparameters.dataset is None or experiment.source.has(*override):
        return experiment.where(*override)
    return experiment.where("hyperparameters", "dataset", place.partition("_")[0], key)


def require_root(dataset: dict[str, Any], place: str, experiment: Experiment) -> None:
    """Refuse a data set whose `data_root` isn't there: one problem, however many files and data sets it concerns.

    Where every path is absolute, mmengine never looks at the root, and a config's default may stand there.

    Raises:
        DataError: there is no such folder.
    """
    root = dataset.get("data_root") or ""
    folder = local(root, experiment.directory)
    if not is_local(root) or folder.is_dir() or not _needed(dataset):
        return
    override = (*OVERRIDES, *place.split("."), "data_root")
    short = experiment.hyperparameters.dataset is not None
    chosen = ("hyperparameters", "dataset", "root") if short else ("hyperparameters", "config_file")
    raise DataError(
        what="the data set is missing: there is no such folder",
        value=root,
        where=experiment.where(*(override if experiment.source.has(*override) else chosen)),
        allowed=f"a folder, here {folder}",
        next=look_for(folder),
    )


def _needed(dataset: dict[str, Any]) -> bool:
    """Whether any path of the data set starts at its root."""
    paths = [dataset.get("ann_file"), *(dataset.get("data_prefix") or {"img": ""}).values()]
    return any(not isinstance(path, str) or is_relative(path) for path in paths)
