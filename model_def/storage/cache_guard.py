"""A disk that refuses must not stop a training: it is told once, and left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from model_def.storage.cache_run import warn_once
from model_def.storage.client import StorageError

T = TypeVar("T")
PAUSE = 60.0  # seconds without a try to write after the disk has refused


class Guard:
    """Decides whether the cache in `folder` is written to."""

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        self.folder, self.read_only = folder, read_only
        self._rest = 0.0  # of time.monotonic(): when writing is tried again

    @property
    def writes(self) -> bool:
        """Whether it is worth a try."""
        return not self.read_only and time.monotonic() >= self._rest

    def write(self, act: Callable[[], T]) -> T | None:
        """What `act` gives; None if nothing is to be written, or the disk refuses. What the store says is raised."""
        if not self.writes:
            return None
        try:
            return act()
        except StorageError:
            raise
        except OSError as error:
            self._rest = time.monotonic() + PAUSE
            self.warn(f"can't be written ({error.strerror or error})")
            return None

    def read(self, act: Callable[[], T]) -> T | None:
        """What `act` gives; None if there is no such file, or the disk refuses."""
        try:
            return act()
        except FileNotFoundError:
            return None
        except OSError as error:
            self.warn(f"can't be read ({error.strerror or error})")
            return None

    def warn(self, what: str) -> None:
        """Tell the user, once in a run."""
        message = f"the disk cache {self.folder} {what}; training goes on and reads objects from the store each time"
        warn_once(message, about=self.folder)
