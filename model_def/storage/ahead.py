"""Objects that are on their way before anybody asks for them."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from model_def.storage.address import Address
from model_def.storage.per_process import PerProcess

MOST = 1024  # objects that wait for a reader; older ones are dropped: nobody seems to want them
BYTES = 128 << 20  # of objects that should wait, about


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
        own = self._own()
        waiting = own.take(address)
        body = waiting.result() if waiting else self._read(address)
        own.note(len(body))
        return body

    @property
    def at_most(self) -> int:
        """How many should wait, so that memory suffices: fewer if they are large. None, before one has been read."""
        return self._own().count * BYTES // max(self._own().size, 1)


class _Own:
    """One process's threads, and what they have fetched."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._waiting: collections.OrderedDict[Address, Future[bytes]] = collections.OrderedDict()
        self._lock = threading.Lock()
        self.count, self.size = 0, 0  # of all that were read, and their bytes

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

    def note(self, size: int) -> None:
        with self._lock:
            self.count, self.size = self.count + 1, self.size + size
