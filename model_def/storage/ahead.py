"""Objects that are on their way before anybody asks for them."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from model_def.storage.address import Address
from model_def.storage.per_process import PerProcess

MOST = 1024  # objects that wait for a reader; older ones are dropped: nobody seems to want them


class Ahead:
    """Reads objects in threads, from the moment that somebody tells that they will be needed.

    Each process has threads of its own: nothing in it breaks in a fork or by pickling.
    """

    def __init__(self, read: Callable[[Address], bytes], *, threads: int) -> None:
        """`read` fetches one object, and may be called in any thread."""
        self._read = read
        self._threads = threads
        self._own = PerProcess(self._start)

    def _start(self) -> _Own:
        return _Own(ThreadPoolExecutor(self._threads, thread_name_prefix="fetch"))

    def start(self, addresses: Iterable[Address]) -> None:
        """Fetch what isn't on its way yet, in this order."""
        self._own().start(self._read, addresses)

    def read(self, address: Address) -> bytes:
        """The object: the one that was fetched ahead, once; or fetched now.

        Raises:
            StorageError: what the fetching raised.
        """
        waiting = self._own().take(address)
        return waiting.result() if waiting else self._read(address)


class _Own:
    """One process's threads, and what they have fetched."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._waiting: collections.OrderedDict[Address, Future[bytes]] = collections.OrderedDict()
        self._lock = threading.Lock()

    def start(self, read: Callable[[Address], bytes], addresses: Iterable[Address]) -> None:
        with self._lock:
            for address in addresses:
                if address not in self._waiting:
                    self._waiting[address] = self._pool.submit(read, address)
            while len(self._waiting) > MOST:
                self._waiting.popitem(last=False)[1].cancel()

    def take(self, address: Address) -> Future[bytes] | None:
        with self._lock:
            return self._waiting.pop(address, None)
