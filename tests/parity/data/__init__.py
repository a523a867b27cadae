"""Made data of every kind of annotation that the zoo reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_def.compose.tree import type_name
from tests.parity.data.kinds import MAKERS
from tests.parity.data.made_data import Made
from tests.parity.data.needs import NeedsPackage, require_packages

__all__ = ["NeedsPackage", "data_overrides"]

PARTS = {"train": "train", "val": "val", "test": "val"}  # of a config: the part of the made data


def data_overrides(config: dict[str, Any], root: Path) -> dict[str, Any]:
    """Dotted `override_mmdet_config` keys that point every dataset and evaluator of `config` to made data.

    The data is made below `root` when it is first asked for; several processes may ask at once.

    Args:
        config: a resolved config of the zoo.
        root: where the data of all kinds lies.

    Raises:
        NeedsPackage: a dataset, transform or evaluator of training or validation needs a package that isn't installed.
        KeyError: nobody has made data for a dataset class yet.
    """
    require_packages(config)
    found: dict[str, Any] = {}
    for name, part in PARTS.items():
        loader = config.get(f"{name}_dataloader") or {}
        leaves = dict(_leaves(loader.get("dataset"), (f"{name}_dataloader", "dataset")))
        made = {path: MAKERS[type_name(node)](node, Path(root), part) for path, node in leaves.items()}
        for path, each in made.items():
            found |= _below(path, {"data_root": str(each.folder), **each.dataset})
        found |= dict(_evaluators(config.get(f"{name}_evaluator"), (f"{name}_evaluator",), list(made.values())))
    return found


def _leaves(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """The datasets that read files, inside all wrappers."""
    if not isinstance(node, dict):
        return
    if "dataset" not in node and "datasets" not in node:
        yield path, node
    yield from _leaves(node.get("dataset"), (*path, "dataset"))
    for index, item in enumerate(node.get("datasets") or ()):
        yield from _leaves(item, (*path, "datasets", str(index)))


def _evaluators(node: Any, path: tuple[str, ...], made: list[Made]) -> Iterator[tuple[str, Any]]:
    """Keys for an evaluator, a list of them, or one that has an evaluator for each dataset."""
    if isinstance(node, list | tuple):
        for index, item in enumerate(node):
            yield from _evaluators(item, (*path, str(index)), made)
    elif isinstance(node, dict) and "metrics" in node:
        for index, (item, each) in enumerate(zip(node["metrics"], made, strict=True)):
            yield from _evaluators(item, (*path, "metrics", str(index)), [each])
    elif isinstance(node, dict) and made:
        known = made[0].evaluators
        keys = known.get(type_name(node), known.get("", {}))
        yield from _below(path, {key: value for key, value in keys.items() if node.get(key) is not None}).items()


def _below(path: tuple[str, ...], keys: dict[str, Any]) -> dict[str, Any]:
    return {".".join((*path, key)): value for key, value in keys.items()}
