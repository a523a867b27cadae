"""A value that each process makes for itself."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Calling it gives this process's value, made at the first call. It crosses neither a fork nor pickling.

    A client of a store holds connections. *Measured*: a forked child that goes on with its parent's gets the bytes
    of somebody else's request. What was inherited is kept, unused: closing it could disturb the parent.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: dict[int, T] = {}
        self._locks: dict[int, threading.Lock] = {}  # a parent's thread may hold its lock when it forks

    def __call__(self) -> T:
        me = os.getpid()
        if me not in self._values:
            with self._locks.setdefault(me, threading.Lock()):
                if me not in self._values:
                    self._values[me] = self._make()
        return self._values[me]

    def __getstate__(self) -> dict[str, Any]:
        return {"_make": self._make, "_values": {}, "_locks": {}}
