"""Writes the experiment that trains one config of the zoo in small."""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import yaml

from model_def.compose.known import RUNNER
from model_def.compose.require import lacking
from model_def.compose.tree import dicts
from model_def.starting import ranking
from tests.parity import zoo
from tests.parity.channels import narrower
from tests.parity.data import data_overrides
from tests.parity.language import local_language
from tests.parity.offline import offline
from tests.parity.shorten import shorten
from tests.parity.sizes import fewer, fewer_repeats, smaller_images
from tests.parity.variants import VARIANTS

# Tried in this order, until the model can be built and trained.
LEVELS = ("small", "wide", "larger", "images", "full")
SEED = 7
SMALL, LARGER = 8, 2.7  # times smaller are the images; a deformable convolution needs three pixels at stride 128


class DoesNotTrain(Exception):
    """The config only tests, or is a part of others."""


def prepare(case: str, folder: pathlib.Path, *, level: str, calm: bool, data: pathlib.Path) -> None:
    """Write `folder/experiment.yaml`, and `folder/small.py` to be merged over a config of the zoo.

    Args:
        case: the config's name, and behind a colon that of a variant.
        folder: for both files.
        level: one of `LEVELS`.
        calm: whether to keep from diverging what does so otherwise.
        data: where made data is kept.

    Raises:
        DoesNotTrain: there is nothing to compare.
        whatever the config's own Python, or the making of its data, raises.
    """
    name, _, variant = case.partition(":")
    original = zoo.load(name)
    if missing := lacking(original):
        raise DoesNotTrain(f"it has no {', '.join(missing)}")
    config = copy.deepcopy(original)
    config = local_language(config, data / "bert")
    offline(config, calm=calm)
    shorten(config)
    fewer_repeats(config)
    if level != "full":
        smaller_images(config, factor=LARGER if level == "larger" else SMALL)
    if level in ("small", "wide", "larger"):
        fewer(config)
    if level in ("small", "larger"):
        narrower(config["model"])
    batch = _loaders(config)
    _written_here(config)
    _record(config)
    if variant:
        VARIANTS[variant](config)
    changed = {key: value for key, value in config.items() if key in RUNNER and value != original.get(key)}
    (folder / "small.py").write_text("".join(f"{key} = {_whole(key, value)!r}\n" for key, value in changed.items()))
    experiment = _experiment(name, batch, metric=ranking(config), overrides=data_overrides(config, data))
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment, sort_keys=False))


def _experiment(name: str, batch: int, *, metric: str, overrides: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "parity",
        "entrypoint": "python3 -m model_def.train",
        "hyperparameters": {
            "config_file": name,
            "merge_config": "small.py",
            "global_batch_size": batch,
            "override_mmdet_config": overrides,
        },
        "searcher": {"name": "single", "metric": metric, "smaller_is_better": metric == "loss"},
        "scheduling_unit": 1,
        "checkpoint_policy": "none",
        "reproducibility": {"experiment_seed": SEED},
    }


def _whole(key: str, value: Any) -> Any:
    """A section that replaces the zoo's; mmengine reads `custom_imports` before it merges anything."""
    return {"_delete_": True, **value} if isinstance(value, dict) and key != "custom_imports" else value


def _loaders(config: dict[str, Any]) -> int:
    """No worker processes, and a batch of two; returns the batch size."""
    for part in ("train", "val", "test"):
        if loader := config.get(f"{part}_dataloader"):
            loader.update(num_workers=0, persistent_workers=False)
    loader = config["train_dataloader"]
    loader.pop("prefetch_factor", None)
    sampler = loader.get("sampler") or {}
    if "source_ratio" in sampler:
        sampler["source_ratio"] = [1] * len(sampler["source_ratio"])
    if "dataset_size" in sampler and not sampler.get("ratio_mode"):
        sampler["dataset_size"] = [min(size, 2) for size in sampler["dataset_size"]]
    sampler.pop("batch_size", None)  # these follow from `global_batch_size`
    return min(loader.pop("batch_size", 2), 2)


def _written_here(config: dict[str, Any]) -> None:
    """What evaluators write goes beside the run: the folder that the config names isn't there."""
    for _, evaluator in dicts(config.get("val_evaluator")):
        if "outfile_path" in evaluator:
            evaluator["outfile_path"] = pathlib.Path(evaluator["outfile_path"]).name


def _record(config: dict[str, Any]) -> None:
    imports = config.get("custom_imports") or {}
    modules = imports.get("imports") or []
    modules = [modules] if isinstance(modules, str) else list(modules)
    config["custom_imports"] = {**imports, "imports": [*modules, "tests.parity.recorder"]}
    config["custom_imports"].setdefault("allow_failed_imports", False)
    config["custom_hooks"] = [*(config.get("custom_hooks") or []), {"type": "ParityRecorder"}]
