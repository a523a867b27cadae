"""Data on its way to the model: a resumed run passes over what was used, and a file that can't be read is named."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from model_def.errors import DataError

# What mmcv's and mmengine's loading says, also from inside a worker's traceback.
_UNREADABLE = (
    re.compile(r"failed to load image: (?P<file>.+)"),
    re.compile(r"No such file or directory: '(?P<file>[^']+)'"),
    re.compile(r"Is a directory: '(?P<file>[^']+)'"),
    re.compile(r"Permission denied: '(?P<file>[^']+)'"),
)


@contextlib.contextmanager
def data_errors() -> Iterator[None]:
    """Names the image or annotation file that could not be read inside the block.

    Raises:
        DataError: in place of what the loading transforms raise.
    """
    try:
        yield
    except (AssertionError, OSError) as error:
        found = [match for pattern in _UNREADABLE for match in pattern.finditer(str(error))]
        if not found:
            raise
        raise DataError(
            what="an image is missing or broken",
            value=found[-1]["file"].strip(),
            where=str(error).strip().splitlines()[-1],
            allowed="a file that OpenCV can decode",
            next="put the file back, or take it out of the annotation file; then start again, with --resume if the run "
            "has saved a checkpoint",
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


class _FastForward:
    """A batch sampler that passes over the batches which an earlier run has used, once: indices only, no samples.

    A finite sampler that ends on the way is started again with its next epoch, as mmengine's iteration loop does;
    `epoch` counts these starts.
    """

    def __init__(self, batch_sampler: Any, batches: int) -> None:
        self._batch_sampler = batch_sampler
        self._behind = batches
        self.epoch = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch_sampler, name)

    def __len__(self) -> int:
        return len(self._batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        batches: Iterator[Any] = iter(self._batch_sampler)
        while self._behind:
            if next(batches, None) is not None:
                self._behind -= 1
                continue
            self.epoch += 1
            self._batch_sampler.sampler.set_epoch(self.epoch)
            batches = iter(self._batch_sampler)
        return batches


def fast_forward(dataloader: DataLoader[Any], *, batches: int) -> None:
    """Let the next iteration over `dataloader` begin behind its first `batches` batches.

    Must come before the first `iter(dataloader)`: an infinite sampler can't be taken back.
    """
    # torch forbids a new batch sampler because a started iterator would not see it; none has been started here.
    object.__setattr__(dataloader, "batch_sampler", _FastForward(dataloader.batch_sampler, batches))
