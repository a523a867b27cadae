"""Sends one thing after the other in the background, so that nobody waits for it and nothing fails with it."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable

_HEARTBEAT = 60.0  # seconds; a master takes a trial for dead that is silent for five minutes
_PATIENCE = 10.0  # seconds to send the rest at the end
_ROOM = 10_000  # what waits when nobody answers; more is dropped


class Sender(threading.Thread):
    """Runs calls in their order; the first that fails is told, and the others are tried all the same.

    Args:
        beat: is called when there was nothing to do for a while.
        lost: what to say when a call fails, before the reason.
    """

    def __init__(self, *, beat: Callable[[], object], lost: str) -> None:
        super().__init__(daemon=True, name="sender")
        self._beat, self._lost = beat, lost
        self._calls: queue.Queue[Callable[[], object] | None] = queue.Queue(_ROOM)
        self._failed = False
        self.start()

    def put(self, call: Callable[[], object]) -> None:
        """Do this next."""
        try:
            self._calls.put_nowait(call)
        except queue.Full as error:
            self._tell(error)

    def close(self) -> None:
        """Do what waits, but not for long."""
        with self._calls.mutex:
            self._calls.queue.append(None)
            self._calls.not_empty.notify()
        self.join(_PATIENCE)

    def run(self) -> None:
        """Until `close`."""
        while True:
            try:
                call = self._calls.get(timeout=_HEARTBEAT)
            except queue.Empty:
                call = self._beat
            if call is None:
                return
            try:
                call()
            except Exception as error:  # noqa: BLE001  # whatever it is, training goes on
                self._tell(error)

    def _tell(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            print(f"{self._lost} ({str(error) or type(error).__name__})", file=sys.stderr, flush=True)
