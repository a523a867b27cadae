"""Pumps a parked mmengine train loop batch by batch, firing its hooks at its own moments."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mmengine.runner import EpochBasedTrainLoop, Runner

from model_def.data import data_errors, readable


class Pump(abc.ABC):
    """One training loop, driven from outside: iterate to get its batches, call `step` to train on one.

    `len()` is the number of batches of an epoch.
    """

    by_epoch: bool  # whether the loop's length is counted in epochs

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.loop = runner.train_loop
        self._validates = False
        self._resumed: Mapping[str, Any] | None = None
        self._arrived: Callable[[], None] = _nothing

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

    def state_dict(self) -> dict[str, Any]:
        """Where this process's data is, which hooks have switched its pipeline, and whether the loop validates now."""
        return dict(self._resumed) if self._resumed is not None else self._place()

    def _place(self) -> dict[str, Any]:
        switched = [hook._has_switched for hook in self._switching_hooks()]
        return {"loader": self.loop.dataloader.state_dict(), "switched": switched, "validates": self._validates}

    def resume(self, state: Mapping[str, Any], *, arrived: Callable[[], None]) -> None:
        """Go on from `state`; the counters of the loop have been restored.

        Args:
            state: what `state_dict` returned, as plain data.
            arrived: is called once, at the place in the loop where the state was taken. It restores random numbers.

        Raises:
            WeightsError: it is the state of other data or workers.
        """
        self.loop.dataloader.check(state["loader"])
        self._resumed = state
        self._validates = state.get("validates", False)
        self._arrived = arrived

    def arrive(self) -> None:
        """The loop is where the state was taken that it goes on from, if there is one."""
        arrived, self._arrived = self._arrived, _nothing
        arrived()
        self._resumed = None

    def _switching_hooks(self) -> list[Any]:
        """The hooks that switch the pipeline once, and keep in mmdet's way whether they have."""
        return [hook for hook in self.runner.hooks if hasattr(hook, "_has_switched")]

    def begin(self) -> None:
        """What the loop does before its first batch; a resumed state must be in place."""
        hub = self.runner.message_hub.runtime_info
        # The counters as the last batch has left them, which a validation that is made up may look at.
        counters = {name: hub[name] for name in ("epoch", "iter") if self._resumed is not None and name in hub}
        self.runner.call_hook("before_train")
        hub.update(counters)

    def finish(self) -> None:
        """What the loop and the Runner do after the last validation."""
        self.runner.call_hook("after_train")
        self.runner.call_hook("after_run")


class EpochPump(Pump):
    """Drives `EpochBasedTrainLoop`."""

    by_epoch = True

    def __iter__(self) -> Iterator[Any]:
        while not self.finished:
            self._go_on()
            if not self._trained_in_epoch:
                self.arrive()
            self.runner.call_hook("before_train_epoch")
            self.runner.model.train()
            batches = iter(self.loop.dataloader)  # draws a seed from torch's random numbers
            self.arrive()  # at a state that was taken in the middle of this epoch
            yield from readable(batches)

    def _go_on(self) -> None:
        """Bring the data where an earlier run left it, before hooks switch the pipeline that had not done so then."""
        state = self._resumed
        if state is not None:
            for hook, switched in zip(self._switching_hooks(), state["switched"], strict=True):
                if switched:
                    hook.before_train_epoch(self.runner)
            self.loop.dataloader.resume(state["loader"], middle=self._trained_in_epoch > 0)
        elif self.loop.dataloader.waits:
            self.loop.dataloader.skip(self._trained_in_epoch)

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

    def _place(self) -> dict[str, Any]:
        """Finite data is started anew in an epoch of its own counting."""
        return {**super()._place(), "epoch": self.loop.dataloader_iterator._epoch}

    def __iter__(self) -> Iterator[Any]:
        batches = self.loop.dataloader_iterator  # made with the loop
        self._go_on(batches)
        self.runner.call_hook("before_train_epoch")
        self.arrive()
        while not self.finished:
            self.runner.model.train()
            with data_errors():
                batch = next(batches)
            yield batch

    def _go_on(self, batches: Any) -> None:
        """Bring the data where an earlier run left it."""
        loader, state = self.loop.dataloader, self._resumed
        if state is not None:
            batches._epoch = state["epoch"]
            loader.set_epoch(batches._epoch)
            loader.resume(state["loader"], middle=True)
        elif loader.waits:
            batches._epoch = loader.skip(self.loop.iter)
        else:
            return
        batches._iterator = iter(loader)

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


def _nothing() -> None:
    """Nothing is to be restored."""


def pump(runner: Runner) -> Pump:
    """The pump for the parked `runner`'s train loop."""
    return EpochPump(runner) if isinstance(runner.train_loop, EpochBasedTrainLoop) else IterPump(runner)
