"""A stop by signals: this machine's preemption."""

from __future__ import annotations

import os
import signal
from typing import Any

import torch
from determined import core


class LocalPreemptContext(core.DummyPreemptContext):
    """SIGINT and SIGTERM are this machine's preemption. The same signal a second time ends the process at once.

    Several processes agree on a stop after each batch: they may get the signal at different batches.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, dist: core.DistributedContext) -> None:
        super().__init__(dist)
        self.signal_number: int | None = None
        self._original: dict[int, Any] = {}
        # On GPUs the default group is NCCL's: agreeing through it would wait for the device at every batch.
        self._group = torch.distributed.new_group(backend="gloo") if dist.size > 1 else None

    def start(self) -> LocalPreemptContext:
        """Listen for signals."""
        self._original = {number: signal.signal(number, self._receive) for number in self._SIGNALS}
        os.register_at_fork(before=self._hold, after_in_parent=self._release, after_in_child=self._leave)
        super().start()
        return self

    def _hold(self) -> None:
        """Before a fork: Python forgets a signal that comes while it forks, so it must wait."""
        if self._original:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    def _release(self) -> None:
        if self._original:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])

    def _leave(self) -> None:
        """In a forked child: a metric's pool ends its workers by SIGTERM, and waits for ever for one that goes on."""
        if self._original:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._release()

    def close(self) -> None:
        """Stop listening."""
        for number, handler in self._original.items():
            signal.signal(number, handler)
        self._original = {}

    def ask(self) -> None:
        """Ask for a stop, as a SIGTERM does."""
        self.signal_number = self.signal_number or signal.SIGTERM

    def pending(self) -> bool:
        """Whether any process was asked to stop. With several processes all must call it together."""
        if self._group is not None:
            number = torch.tensor(self.signal_number or 0)
            torch.distributed.all_reduce(number, op=torch.distributed.ReduceOp.MAX, group=self._group)
            self.signal_number = int(number) or None
        return self.signal_number is not None

    def should_preempt(self, auto_ack: bool = True) -> bool:
        """The same answer on every process: the one that `pending` gave last."""
        return bool(self._dist.broadcast(self.signal_number is not None))

    def _receive(self, number: int, frame: Any) -> None:
        self.signal_number = self.signal_number or number
        signal.signal(number, self._original[number])
