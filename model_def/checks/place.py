"""Where, in the user's words, a data set's file or folder was chosen."""

from __future__ import annotations

from model_def.experiment import Experiment


def place_of(experiment: Experiment, place: str, key: str) -> str:
    """The place of `key` (`ann_file`, `img_prefix`) of the data set or evaluator at the config path `place`.

    That is the override that sets it; else the key of the `dataset` short form; else the override that would set it.
    """
    name = "data_prefix.img" if key == "img_prefix" else key
    override = ("hyperparameters", "override_mmdet_config", *place.split("."), *name.split("."))
    if experiment.hyperparameters.dataset is None or experiment.source.has(*override):
        return experiment.where(*override)
    return experiment.where("hyperparameters", "dataset", place.partition("_")[0], key)
