"""Pumps a parked mmengine train loop batch by batch, firing its hooks at its own moments."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator
from typing import Any

from mmengine.runner import EpochBasedTrainLoop, Runner

from model_def.data import data_errors, readable


class Pump(abc.ABC):
    """One training loop, driven from outside: iterate to get its batches, call `step` to train on one.

    `len()` is the number of batches of an epoch. `restore_rng` may be set before the first batch: it is called once,
    at the place in the loop where the state that it restores was taken.
    """

    by_epoch: bool  # whether the loop's length is counted in epochs

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.loop = runner.train_loop
        self.restore_rng: Callable[[], None] | None = None
        self._validates = False

    def __len__(self) -> int:
        return len(self.loop.dataloader)

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """The loop's remaining batches, in its order."""

    @abc.abstractmethod
    def step(self, batch: Any) -> None:
        """Train on one batch: `before_train_iter`, forward, backward, update, `after_train_iter`, counters."""

    @property
    def finished(self) -> bool:
        """Whether the loop has nothing more to train: its length is reached, or a hook has stopped it."""
        return bool(self.loop.iter >= self.loop.max_iters or self.loop.stop_training)

    @property
    def validates_now(self) -> bool:
        """Whether the loop would validate after the step that was just made."""
        return self._validates and self.runner.val_loop is not None

    def _restore_rng(self) -> None:
        if self.restore_rng is not None:
            self.restore_rng()
            self.restore_rng = None

    def begin(self) -> None:
        """What the loop does before its first batch; a resumed state must be in place."""
        self.runner.call_hook("before_train")

    def finish(self) -> None:
        """What the loop and the Runner do after the last validation."""
        self.runner.call_hook("after_train")
        self.runner.call_hook("after_run")


class EpochPump(Pump):
    """Drives `EpochBasedTrainLoop`."""

    by_epoch = True

    def __iter__(self) -> Iterator[Any]:
        while not self.finished:
            if not self._trained_in_epoch:
                self._restore_rng()
            self.runner.call_hook("before_train_epoch")
            self.runner.model.train()
            batches = iter(self.loop.dataloader)  # draws a seed from torch's random numbers
            self._restore_rng()  # of a state that was taken in the middle of this epoch
            yield from readable(batches)

    @property
    def _trained_in_epoch(self) -> int:
        return int(self.loop.iter - self.loop.epoch * len(self))

    def step(self, batch: Any) -> None:
        """One iteration, and the end of the epoch after its last one."""
        self.loop.run_iter(self._trained_in_epoch, batch)
        self._validates = False
        if self._trained_in_epoch == len(self):
            self._end_epoch()

    def _end_epoch(self) -> None:
        self.runner.call_hook("after_train_epoch")
        self.loop._epoch += 1
        self.loop._decide_current_val_interval()
        epoch, last = self.loop.epoch, self.loop.epoch == self.loop.max_epochs
        self._validates = epoch >= self.loop.val_begin and (epoch % self.loop.val_interval == 0 or last)

    @property
    def finished(self) -> bool:
        """An early stop takes effect at the end of an epoch."""
        ended = self.loop.stop_training and self._trained_in_epoch == 0
        return bool(ended or self.loop.epoch >= self.loop.max_epochs)


class IterPump(Pump):
    """Drives `IterBasedTrainLoop`."""

    by_epoch = False

    def __iter__(self) -> Iterator[Any]:
        self.runner.call_hook("before_train_epoch")
        batches = self.loop.dataloader_iterator
        batches._epoch = getattr(self.loop.dataloader.batch_sampler, "epoch", 0)
        self._restore_rng()
        while not self.finished:
            self.runner.model.train()
            with data_errors():
                batch = next(batches)
            yield batch

    def step(self, batch: Any) -> None:
        """One iteration."""
        self.loop.run_iter(batch)
        self.loop._decide_current_val_interval()
        done, last = self.loop.iter, self.loop.iter == self.loop.max_iters
        self._validates = done >= self.loop.val_begin and (done % self.loop.val_interval == 0 or last)

    def finish(self) -> None:
        """The iteration loop counts its whole length as one epoch."""
        self.runner.call_hook("after_train_epoch")
        super().finish()


def pump(runner: Runner) -> Pump:
    """The pump for the parked `runner`'s train loop."""
    return EpochPump(runner) if isinstance(runner.train_loop, EpochBasedTrainLoop) else IterPump(runner)
