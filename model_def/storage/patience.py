"""Asking again where that may help."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from model_def.storage.client import StorageError, Unreachable

T = TypeVar("T")

CONNECT, READ = 5.0, 20.0  # seconds: for a connection, and between two pieces of an answer
ATTEMPTS = 10
FIRST_ATTEMPTS, FIRST_SECONDS = 3, 8.0  # while nobody has ever answered: a wrong endpoint is told within seconds
PAUSE, LONGEST = 0.1, 20.0  # seconds: on average half of 0.1, 0.2, 0.4 … 20 (together about 25)


class Patience:
    """Retries of one client. A server that has answered once gets more time than one that never has.

    The libraries' own retries are off: they draw from Python's global random numbers, so that a bad network would
    change augmentations; they don't see damaged bodies; and boto3's stop when many were needed.
    That somebody has answered is kept in forked and spawned workers.
    """

    def __init__(self, *, attempts: int = ATTEMPTS, pause: float = PAUSE, read: float = READ) -> None:
        self.timeouts = (CONNECT, read)
        self._attempts, self._pause, self._reached = attempts, pause, False

    def __call__(self, action: Callable[[], T]) -> T:
        """What `action` gives.

        Raises:
            StorageError: as `action` raised it the last time, with the number of attempts.
        """
        began, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            try:
                result = action()
            except StorageError as error:
                self._reached = self._reached or not isinstance(error, Unreachable)
                spent = time.monotonic() - began
                if not error.passing:
                    raise
                if self._is_over(attempt, spent):
                    tried = f"tried {attempt} times in {spent:.0f} s"
                    raise type(error)(f"{error} ({tried})", url=error.url) from error
            else:
                self._reached = True
                return result
            # The system's random numbers: Python's own belong to the training.
            time.sleep(random.SystemRandom().uniform(0, min(LONGEST, self._pause * 2 ** (attempt - 1))))

    def _is_over(self, attempt: int, spent: float) -> bool:
        early = not self._reached and (attempt >= FIRST_ATTEMPTS or spent >= FIRST_SECONDS)
        return early or attempt >= self._attempts
