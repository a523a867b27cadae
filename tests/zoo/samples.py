"""Whether samples of the data sets of a parked runner go through their pipelines, and have the labels they should."""

from __future__ import annotations

from typing import Any

from mmengine.runner import Runner

from model_def.compose.tree import dicts


def check_samples(runner: Runner, *, classes: int) -> None:
    """Load a sample to train on and one to validate on.

    Raises:
        ValueError: a label is not smaller than the number of classes, or a map of classes is missing.
        whatever mmdet raises for data that doesn't suit the config.
    """
    loops = {"train": runner.train_loop, "val": runner.val_loop}
    for part, loop in loops.items():
        if loop is not None:
            dataset = loop.dataloader.dataset
            sample = next(sample for index in range(len(dataset)) if (sample := dataset[index]) is not None)
            _check(sample["data_samples"], runner.cfg[f"{part}_dataloader"].to_dict(), classes)


def _check(sample: Any, loader: dict[str, Any], classes: int) -> None:
    for key in ("gt_instances", "ignored_instances"):
        labels = sample.get(key).get("labels", ()) if key in sample else ()
        if len(labels) and int(max(labels)) >= classes:
            raise ValueError(f"{key} has label {int(max(labels))} of {classes} classes")
    maps = any(node.get("with_seg") for _, node in dicts(loader["dataset"]))
    if maps and "gt_sem_seg" not in sample:
        raise ValueError("the map of classes is missing")
