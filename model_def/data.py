"""The training data as Determined sees it: resuming passes over what was used, without loading it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader


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
