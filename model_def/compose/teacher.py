"""The config of a teacher, for detectors that learn from one: mmdet opens it by itself, from the current directory."""

from __future__ import annotations

from typing import Any

from model_def.assignments import OVERRIDES
from model_def.compose.find import find_config
from model_def.compose.tree import get
from model_def.experiment_types import Experiment

OF_MMDET = "configs/"  # where mmdet's checkout has the zoo, and the zoo's own configs name it


def with_teacher(config: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """`config` with the whole path of `model.teacher_config`, found as a `config_file` is; unchanged if it has none.

    Raises:
        ConfigError: there is no such file.
    """
    name = get(config, "model.teacher_config")
    if not isinstance(name, str):
        return config
    where = experiment.where(*OVERRIDES, "model", "teacher_config")
    if not (experiment.directory / name).is_file():
        name = name.removeprefix(OF_MMDET)
    found = find_config(name, context=experiment.directory, where=where)
    return {**config, "model": {**config["model"], "teacher_config": str(found)}}
