"""Where, in the user's words, a data set's file or folder was chosen."""

from __future__ import annotations

from model_def.experiment import Experiment


def place_of(experiment: Experiment, place: str, key: str) -> str:
    """The place of `key` (`ann_file`, `img_prefix`) of the data set at the config path `place`.

    With the `dataset` short form that is its YAML key; else the override that sets it, or would set it.
    """
    if experiment.hyperparameters.dataset is not None:
        split = place.partition("_")[0]
        return experiment.where("hyperparameters", "dataset", split, key)
    name = "data_prefix.img" if key == "img_prefix" else key
    return experiment.where("hyperparameters", "override_mmdet_config", *place.split("."), *name.split("."))
