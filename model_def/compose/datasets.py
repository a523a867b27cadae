"""The data sets in a config, through their wrappers (RepeatDataset, ClassBalancedDataset, MultiImageMixDataset, …)."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from model_def.compose.tree import Path as TreePath

LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


def innermost(dataset: dict[str, Any], path: TreePath = ()) -> Iterator[tuple[TreePath, dict[str, Any]]]:
    """Each data set that reads files, with its path below `dataset`."""
    if isinstance(dataset.get("dataset"), dict):
        yield from innermost(dataset["dataset"], (*path, "dataset"))
    elif isinstance(dataset.get("datasets"), list | tuple):
        for index, inner in enumerate(dataset["datasets"]):
            yield from innermost(inner, (*path, "datasets", index))
    else:
        yield path, dataset


def replace_innermost(dataset: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """A copy of `dataset` whose innermost data set is `change(it)`; a concatenation becomes its first member."""
    if isinstance(dataset.get("dataset"), dict):
        return {**dataset, "dataset": replace_innermost(dataset["dataset"], change)}
    if isinstance(dataset.get("datasets"), list | tuple):
        return replace_innermost(dataset["datasets"][0], change)
    return change(dataset)


def loader_datasets(config: dict[str, Any], loader: str) -> Iterator[tuple[TreePath, dict[str, Any]]]:
    """The innermost data sets of one dataloader, with their paths in the config."""
    dataset = (config.get(loader) or {}).get("dataset")
    if isinstance(dataset, dict):
        yield from innermost(dataset, (loader, "dataset"))


def annotation_file(dataset: dict[str, Any]) -> str:
    """Where mmengine's BaseDataset looks for the annotations; "" if there are none."""
    return _joined(dataset.get("data_root"), dataset.get("ann_file") or "")


def proposal_file(dataset: dict[str, Any]) -> str:
    """Where it looks for proposals; "" if there are none."""
    return _joined(dataset.get("data_root"), dataset.get("proposal_file") or "")


def image_folder(dataset: dict[str, Any]) -> str:
    """Where the images are, as mmengine's BaseDataset joins it."""
    prefix = dataset.get("data_prefix") or {}
    return (
        _joined(dataset.get("data_root"), prefix.get("img", prefix.get("img_path", "")))
        or dataset.get("data_root")
        or ""
    )


def is_local(path: str) -> bool:
    """Whether a path is on this machine's disk, not behind `s3://` and the like."""
    return "://" not in path


def is_relative(path: str) -> bool:
    """Whether a path begins at a root: neither absolute nor behind `s3://` and the like."""
    return is_local(path) and not os.path.isabs(path)


def evaluators(config: dict[str, Any], name: str) -> Iterator[tuple[TreePath, dict[str, Any]]]:
    """The evaluators of a config below `name`, where one stands or a list of them, with their paths in the config."""
    found = config.get(name)
    if isinstance(found, dict):
        yield (name,), found
    for index, entry in enumerate(found if isinstance(found, list | tuple) else ()):
        if isinstance(entry, dict):
            yield (name, index), entry


def entries(evaluator: Any) -> list[dict[str, Any]]:
    """One evaluator or a list of them, as a list."""
    return [entry for _, entry in evaluators({"": evaluator}, "")]


def local(path: str, context: Path) -> Path:
    """A local path; relative ones start at the context (the current directory)."""
    return context / path


def _joined(root: str | None, name: str) -> str:
    return os.path.join(root, name) if name and root and is_relative(name) else name
