"""What a config must have, or must not, before it is worth building."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from mmengine.device import is_cuda_available, is_mlu_available, is_musa_available, is_npu_available

from model_def.compose.kinds import kind
from model_def.compose.override import flatten
from model_def.compose.tree import dicts, dotted, get
from model_def.errors import ConfigError, Problem
from model_def.experiment_types import Experiment

Where: TypeAlias = Callable[..., str]  # the place at which the value at a path was chosen

REQUIRED = ("model", "train_dataloader", "train_cfg", "optim_wrapper")
SECTIONS = (*REQUIRED, "val_dataloader", "test_dataloader", "val_cfg", "test_cfg", "default_hooks")
VALIDATION = ("val_dataloader", "val_cfg", "val_evaluator")
COUNTS = ("max_epochs", "max_iters", "val_interval")
AMP_ONLY = ("dtype", "loss_scale", "use_fsdp")  # what AmpOptimWrapper takes and OptimWrapper doesn't
DECIDED = {
    "train_dataloader.batch_size": "hyperparameters.global_batch_size",
    "train_dataloader.sampler.batch_size": "hyperparameters.global_batch_size",
    "train_dataloader.batch_sampler.batch_size": "hyperparameters.global_batch_size",
    "randomness.seed": "reproducibility.experiment_seed",
    "work_dir": "train --output DIR",
    "launcher": "resources.slots_per_trial",
}


def trainable(config: dict[str, Any], experiment: Experiment, where: Where) -> None:
    """Refuse a config that can't train: some of the zoo's only test.

    Raises:
        ConfigError: `model`, `train_dataloader`, `train_cfg` or `optim_wrapper` is missing, or is no mapping.
    """
    wrong = [key for key in SECTIONS if not isinstance(config.get(key) or {}, dict)]
    if wrong:
        raise ConfigError(
            what=f"`{wrong[0]}` must be a mapping",
            value=config[wrong[0]],
            where=where(wrong[0]),
            allowed=f"`{wrong[0]}: {{…}}`, as in the zoo's configs",
            next="mend it in `config_file`, `merge_config` or the override",
        )
    if missing := lacking(config):
        place = where(missing[0]) if missing[0] in config else experiment.where("hyperparameters", "config_file")
        raise untrainable(missing, experiment.hyperparameters.config_file, place)


def lacking(config: dict[str, Any]) -> list[str]:
    """The sections that training needs and the config has not."""
    return [key for key in REQUIRED if not config.get(key)]


def untrainable(missing: list[str], name: str, where: str, *, family: str = "") -> ConfigError:
    """That the config `name` lacks sections; the next step lists the zoo, or the configs of one family."""
    return ConfigError(
        what=f"this config doesn't train: it has no {', '.join(missing)}",
        value=name,
        where=where,
        allowed=f"a config with {', '.join(REQUIRED)}",
        next=f"python -m model_def ls {family}".rstrip(),
    )


def whole(config: dict[str, Any], _: Experiment, where: Where) -> None:
    """Refuse a length that trains nothing, and a validation of which a part is missing.

    Raises:
        ConfigError: with all of it.
    """
    problems = [
        Problem(
            what=f"`train_cfg.{name}` must be a whole number of 1 or more",
            value=config["train_cfg"][name],
            where=where("train_cfg", name),
            allowed="1, 2, 3, …",
            next=f"train_cfg.{name}=1",
        )
        for name in COUNTS
        if kind(config["train_cfg"].get(name, 1)) in ("integer", "number") and config["train_cfg"].get(name, 1) < 1
    ]
    given = {**config, "val_cfg": config.get("val_cfg") is not None}  # an empty one is a ValLoop
    absent = [name for name in VALIDATION if not given.get(name)]
    if 0 < len(absent) < len(VALIDATION):
        problems.append(
            Problem(
                what=f"a validation needs {', '.join(VALIDATION)}, and {' and '.join(absent)} is missing",
                value=config.get(absent[0]),
                where=where(absent[0]),
                allowed="all of them, or none of them",
                next=" ".join(f"{name}=null" for name in VALIDATION) + " to train without validation",
            )
        )
    if problems:
        raise ConfigError.of(problems)


def derived(before: dict[str, Any], after: dict[str, Any], where: Where) -> Iterator[Problem]:
    """Overrides of values that the experiment itself decides: the batch size, the seed, the output directory."""
    for path, field in DECIDED.items():
        if get(before, path) != get(after, path):
            yield Problem(
                what=f"`{path}` follows from `{field}`: it can't be overridden",
                value=get(after, path),
                where=where(*path.split(".")),
                allowed=f"`{field}`",
                next=f"remove the override and write `{field}`",
            )


def device(config: dict[str, Any], experiment: Experiment, where: Where) -> None:
    """Refuse mixed precision where mmengine would only assert.

    Raises:
        ConfigError: `AmpOptimWrapper` on a machine without an accelerator.
    """
    accelerated = is_cuda_available() or is_npu_available() or is_mlu_available() or is_musa_available()
    wrappers = [("optim_wrapper", *path) for path, node in dicts(config["optim_wrapper"]) if _is_amp(node.get("type"))]
    if not wrappers or accelerated:
        return
    overrides = flatten(experiment.hyperparameters.override_mmdet_config)
    written = [dotted(item.parts) for item in overrides if item.parts[:-1] in wrappers and item.parts[-1] in AMP_ONLY]
    raise ConfigError(
        what="mixed precision needs a GPU, and this machine has none",
        value="AmpOptimWrapper",
        where=where(*map(str, wrappers[0]), "type"),
        allowed="OptimWrapper on a CPU",
        next=" ".join(f"{dotted(path)}.type=OptimWrapper" for path in wrappers)
        + (f", without the override of {' and '.join(written)}" if written else ""),
    )


def synchronised(config: dict[str, Any], slots: int, where: Where) -> None:
    """Refuse mmcv's own synchronised batch norm where it can't work: it wants several processes, each with a GPU.

    Raises:
        ConfigError: one process, or a machine without a GPU.
    """
    places = [("model", *path) for path, node in dicts(config["model"]) if node.get("type") == "MMSyncBN"]
    if not places or (slots > 1 and is_cuda_available()):
        return
    one = slots <= 1
    kind = "SyncBN" if one else "BN"
    raise ConfigError(
        what="mmcv's synchronised batch norm needs GPUs and several processes, and here is "
        + ("one process" if one else "no GPU"),
        value="MMSyncBN",
        where=where(*places[0], "type"),
        allowed="SyncBN, for which mmengine takes BN in one process" if one else "BN on a CPU",
        next=" ".join(f"{dotted(path)}.type={kind}" for path in places),
    )


def _is_amp(name: Any) -> bool:
    return isinstance(name, str) and name.rpartition(".")[2] == "AmpOptimWrapper"


def not_resumed(config: dict[str, Any], _: Experiment, where: Where) -> None:
    """Refuse mmengine's own ways to resume, which know nothing of Determined's checkpoints.

    Raises:
        ConfigError: the config has `resume = True`, or mmdet 2's `auto_resume = True`.
    """
    for key in ("resume", "auto_resume"):
        if config.get(key):
            raise ConfigError(
                what=f"a config can't ask to be resumed: {key}",
                value=config[key],
                where=where(key),
                allowed=f"{key} = False",
                next=f"remove it, and: train … --resume {config.get('load_from') or '[PATH]'}; "
                "on a cluster Determined resumes by itself",
            )
