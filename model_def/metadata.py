"""What a checkpoint says of itself: versions, config, classes and data."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

import model_def
from model_def.compose.datasets import annotation_file, loader_datasets
from model_def.compose.write import config_text
from model_def.environment import STACKS, stack, version
from model_def.files import store
from model_def.storage.address import Address, is_remote
from model_def.storage.client import StorageError
from model_def.weights.download import sha256


def describe(config: Config, *, dataset_meta: Mapping[str, Any], context: Path) -> dict[str, Any]:
    """What is the same for all checkpoints of a run, as JSON holds it.

    Args:
        config: the composed one.
        dataset_meta: of the training set.
        context: where relative paths start.

    Returns:
        `versions` by package; `config_sha256`, that of the run's `config.py`; `classes` in the order of their labels;
        `data`, each annotation file with its `loader`, `file`, `bytes`, and `sha256` or (in a store) `version`.
    """
    return {
        "versions": dict(_versions()),
        "config_sha256": hashlib.sha256(config_text(config).encode()).hexdigest(),
        "classes": list(dataset_meta.get("classes") or ()),
        "data": list(_data(config.to_dict(), context)),
    }


def _versions() -> Iterator[tuple[str, str | None]]:
    yield "model_def", model_def.__version__
    for name in (*STACKS.get(stack(), ()), "torch", "determined"):
        yield name, version(name)


def _data(config: dict[str, Any], context: Path) -> Iterator[dict[str, Any]]:
    for loader in ("train_dataloader", "val_dataloader"):
        for _, dataset in loader_datasets(config, loader):
            if name := annotation_file(dataset):
                yield {"loader": loader, "file": name, **_identity(name, dataset.get("backend_args"), context)}


def _identity(name: str, backend_args: Mapping[str, Any] | None, context: Path) -> dict[str, Any]:
    """What tells this file from another of its name; nothing where it can't be asked."""
    if is_remote(name):
        with contextlib.suppress(StorageError):
            found = store(name, backend_args).client.head(Address.parse(name))
            return {"bytes": found.size, "version": found.version}
    path = context / name
    return {"bytes": path.stat().st_size, "sha256": sha256(path)} if path.is_file() else {}
