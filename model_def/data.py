"""Data on its way to the model: a file that can't be read is named."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from model_def.errors import DataError
from model_def.storage.client import StorageError
from model_def.storage.problems import problem

# What mmcv's and mmengine's loading says, also from inside a worker's traceback.
_UNREADABLE = (
    re.compile(r"failed to load image: (?P<file>.+)"),
    re.compile(r"No such file or directory: '(?P<file>[^']+)'"),
    re.compile(r"Is a directory: '(?P<file>[^']+)'"),
    re.compile(r"Permission denied: '(?P<file>[^']+)'"),
)
AGAIN = "then start again, with --resume if the run has saved a checkpoint"


@contextlib.contextmanager
def data_errors() -> Iterator[None]:
    """Names the image or annotation file that could not be read inside the block.

    Raises:
        DataError: in place of what the loading transforms, or a store, raise.
    """
    try:
        yield
    except StorageError as error:
        raise problem(error, where="what training reads", then=AGAIN) from error
    except (AssertionError, OSError) as error:
        found = [match for pattern in _UNREADABLE for match in pattern.finditer(str(error))]
        if not found:
            raise
        raise DataError(
            what="an image is missing or broken",
            value=found[-1]["file"].strip(),
            where=str(error).strip().splitlines()[-1],
            allowed="a file that OpenCV can decode",
            next=f"put the file back, take it out of the annotation file, or write `max_broken_images: 10`; {AGAIN}",
        ) from error


def readable(batches: Iterator[Any]) -> Iterator[Any]:
    """The same batches; an error on the way to one names the file."""
    while True:
        try:
            with data_errors():
                batch = next(batches)
        except StopIteration:
            return
        yield batch
