"""`auto_scale_lr`: the learning rate that belongs to the batch size, by mmengine's linear rule."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from model_def.assignments import OVERRIDES
from model_def.compose.given import sets
from model_def.compose.tree import get
from model_def.errors import ConfigError
from model_def.experiment_types import Experiment

RATE = "optim_wrapper.optimizer.lr"


def auto_scaled(config: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """`config` with the hyperparameter `auto_scale_lr`, if there is one.

    The rule is mmengine's own: `Runner.scale_lr` takes the rate times processes × batch size / `base_batch_size`.
    """
    wanted = experiment.hyperparameters.auto_scale_lr
    if wanted is None:
        return config
    return {**config, "auto_scale_lr": {**(config.get("auto_scale_lr") or {}), "enable": wanted}}


def scale(config: Mapping[str, Any], images: int) -> float:
    """What `Runner.scale_lr` multiplies the rate by when `images` make a batch, over all processes."""
    scaling = config.get("auto_scale_lr") or {}
    return images / scaling["base_batch_size"] if scaling.get("enable") else 1


def check_scaling(config: dict[str, Any], experiment: Experiment) -> None:
    """Refuse a scaling that can't be done, or that two places decide differently.

    Raises:
        ConfigError: there is no base batch size; or an override of `auto_scale_lr.enable` contradicts.
    """
    wanted, scaling = experiment.hyperparameters.auto_scale_lr, config.get("auto_scale_lr") or {}
    if wanted is not None and bool(scaling.get("enable")) != wanted:
        raise ConfigError(
            what="`auto_scale_lr.enable` contradicts the hyperparameter `auto_scale_lr`",
            value=scaling.get("enable"),
            where=experiment.where(*OVERRIDES, "auto_scale_lr", "enable"),
            allowed="one of the two",
            next="remove the override",
        )
    base = scaling.get("base_batch_size")
    if scaling.get("enable") and not (isinstance(base, int) and base > 0):
        raise ConfigError(
            what="the config doesn't say for which batch size its learning rate was chosen: it can't be scaled",
            value=base,
            where=experiment.where("hyperparameters", "auto_scale_lr"),
            allowed="auto_scale_lr.base_batch_size, 1 or more",
            next="auto_scale_lr.base_batch_size=16, if the rate is right for batches of 16",
        )


def rate_note(config: dict[str, Any], experiment: Experiment) -> Iterator[str]:
    """A note if the batch isn't the one that the config's rate was chosen for, and nobody has said what to do."""
    scaling, size = config.get("auto_scale_lr") or {}, experiment.hyperparameters.global_batch_size
    base, rate = scaling.get("base_batch_size"), get(config, RATE)
    if not isinstance(base, int) or base < 1 or base == size or not isinstance(rate, int | float):
        return
    if scaling.get("enable"):
        yield f"auto_scale_lr: lr {rate:g} of batches of {base} is {rate * size / base:g} for batches of {size}"
        return
    hyper, named = experiment.hyperparameters, _named(experiment.hyperparameters.config_file)
    chosen = sets(hyper.override_mmdet_config, config, tuple(RATE.split(".")))  # for the experiment's own batches
    if hyper.auto_scale_lr is None and not chosen and named != size:
        other = f" (its name says {named})" if named not in (None, base) else ""
        yield (
            f"lr {rate:g} was chosen for batches of {base}{other}, and yours have {size}: "
            f"`auto_scale_lr: true` would make it {rate * size / base:g}, `false` ends this note"
        )


def _named(config_file: str) -> int | None:
    """The batch of `…_8xb32-300e_coco.py`: 8 GPUs × 32. Some of the zoo's `base_batch_size` are another config's."""
    found = re.search(r"_(\d+)xb(\d+)[-_]", config_file)
    return int(found[1]) * int(found[2]) if found else None
