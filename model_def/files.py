"""A file of a data set as a local one, wherever it is: on the disk, or brought from a store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.fileio import get_file_backend

from model_def.storage.address import is_remote
from model_def.storage.client import StorageError
from model_def.storage.problems import problem


def can_be_read(name: str) -> bool:
    """Whether `on_disk` can bring it: a path or an address, and no other URL."""
    return "://" not in name or is_remote(name)


@contextlib.contextmanager
def on_disk(name: str, backend_args: Mapping[str, Any] | None, *, context: Path, where: str) -> Iterator[Path]:
    """The local path of a file, while the context lasts.

    Args:
        name: a path, relative to `context` or absolute, or an address (`s3://bucket/key`).
        backend_args: of the data set or evaluator that reads it.
        where: the place in the experiment, for messages.

    Raises:
        DataError: the store doesn't give it. A path is not looked at.
    """
    if not is_remote(name):
        yield context / name
        return
    backend = store(name, backend_args)
    with storage_errors(where, backend), backend.get_local_path(name) as path:
        yield Path(path)


def store(name: str, backend_args: Mapping[str, Any] | None) -> Any:
    """mmengine's backend for an address: the one that the data set's transforms use."""
    return get_file_backend(name, backend_args=dict(backend_args or {}) or None, enable_singleton=True)


@contextlib.contextmanager
def storage_errors(where: str, backend: Any = None) -> Iterator[None]:
    """What a store refuses, as a message about the experiment; of a missing object, with those of `backend` like it.

    Raises:
        DataError: in place of a StorageError.
    """
    try:
        yield
    except StorageError as error:
        raise problem(error, where=where, client=getattr(backend, "client", None)) from error
