"""Values that follow from the experiment: batch size, seed, length, and what a complete config needs besides."""

from __future__ import annotations

import copy
from typing import Any

from model_def.compose import strict
from model_def.errors import ConfigError
from model_def.experiment_types import Experiment, Length
from model_def.migrate.length import by_epoch

UNIT_KEYS = {"epochs": "max_epochs", "batches": "max_iters"}


def batch_size(config: dict[str, Any], experiment: Experiment, slots: int) -> dict[str, Any]:
    """`config` with the global batch divided over the slots, also where a sampler has a batch size of its own.

    Raises:
        ConfigError: it can't be divided evenly.
    """
    size, slots = experiment.hyperparameters.global_batch_size, max(slots, 1)  # Determined's 0 slots are one CPU
    if size % slots:
        near = [number for number in (size // slots * slots, (size // slots + 1) * slots) if number]
        raise ConfigError(
            what=f"the global batch size can't be divided evenly over {slots} slots",
            value=size,
            where=experiment.where("hyperparameters", "global_batch_size"),
            allowed=f"a multiple of {slots}: {' or '.join(map(str, near))}",
            next=f"write `global_batch_size: {near[-1]}`, or take another number of slots "
            "(`--nproc-per-node` of torchrun, `resources.slots_per_trial` on a cluster)",
        )
    loader = {**config["train_dataloader"], "batch_size": size // slots}
    for sampler in ("sampler", "batch_sampler"):
        node = loader.get(sampler) or {}
        asked = sampler == "sampler" and "batch_size" in strict.argument_names(node)  # mmengine tells the other one
        if asked or "batch_size" in node:
            loader[sampler] = {**node, "batch_size": size // slots}
    return {**config, "train_dataloader": loader}


def length(config: dict[str, Any], experiment: Experiment) -> tuple[dict[str, Any], tuple[str, ...]]:
    """`config` with the deprecated `searcher.max_length` as its training length, and the note that says so.

    Raises:
        ConfigError: its unit isn't the training loop's.
    """
    wanted = experiment.searcher.max_length
    if wanted is None:
        return config, ()
    unit = "epochs" if by_epoch(config) else "batches"
    if wanted.unit != unit:
        raise _wrong_unit(wanted, unit, experiment)
    key = UNIT_KEYS[unit]
    note = f"searcher.max_length is an old form; write `override_mmdet_config: {{train_cfg.{key}: {wanted.value}}}`"
    return {**config, "train_cfg": {**config["train_cfg"], key: wanted.value}}, (note,)


def seed(config: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """`config` with the experiment's seed; the other keys of `randomness` stay."""
    return {**config, "randomness": {**(config.get("randomness") or {}), "seed": experiment.seed}}


def test_as_val(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """`after` with the test set as the validation set, where it was so `before` the overrides and they left it alone.

    Configs write `test_dataloader = val_dataloader` and mean both: weights would be tested, and used by mmdet's
    `init_detector`, on images of another size than they were validated on.
    """
    result = dict(after)
    for val, test in (("val_dataloader", "test_dataloader"), ("val_evaluator", "test_evaluator")):
        if after.get(val) and before.get(test) == before.get(val) and after.get(test) == before.get(test):
            result[test] = copy.deepcopy(after.get(val))
    return result


def complete(config: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """`config` with what stock mmengine and mmdet's `init_detector` need and a config may leave out."""
    result = dict(config)
    result["default_scope"] = config.get("default_scope") or "mmdet"
    result["work_dir"] = config.get("work_dir") or f"work_dirs/{experiment.name}"
    if config.get("val_dataloader") and not config.get("test_dataloader"):
        result["test_dataloader"] = copy.deepcopy(config["val_dataloader"])
        result["test_evaluator"] = copy.deepcopy(config.get("val_evaluator"))
        result["test_cfg"] = config.get("test_cfg") or {"type": "TestLoop"}
    return result


def _wrong_unit(wanted: Length, unit: str, experiment: Experiment) -> ConfigError:
    return ConfigError(
        what=f"this config trains by {unit}",
        value={wanted.unit: wanted.value},
        where=experiment.where("searcher", "max_length"),
        allowed=f"{{{unit}: n}}",
        next=f"remove `searcher.max_length` and override `train_cfg.{UNIT_KEYS[unit]}`",
    )
