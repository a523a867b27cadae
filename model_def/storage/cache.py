"""Objects on the local disk, shared by all processes of one host that name the same folder."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from model_def.storage import cache_entry as entries
from model_def.storage import cache_whole as whole
from model_def.storage.address import Address
from model_def.storage.cache_evict import HEAD, WHOLE
from model_def.storage.cache_guard import Guard
from model_def.storage.cache_lock import locked, part, sweep
from model_def.storage.cache_room import Room
from model_def.storage.cache_run import asked_in_this_run
from model_def.storage.client import Blob, Client
from model_def.storage.in_turn import InTurn
from model_def.storage.options import CacheOptions

TOUCH = 600.0  # seconds: a use is noted on the disk if the last noted one is older


class Cache:
    """Reads objects through the disk. Where the disk can't be used it reads from the store, and warns once in a run.

    An object is one file: a head with length, checksum and version, then its bytes; all are checked at each use. It is
    written beside and moved into place. Objects that libraries open by name lie as they are, and their heads beside
    them. *Measured*, 130 KB: a hit costs 27 µs, plain reading 15.

    Nothing in it breaks in a fork or by pickling, and any number of threads may use it.

    Attributes:
        keeps_all: whether `read` keeps each new object before it returns, though all room is taken by objects in use.
    """

    def __init__(self, options: CacheOptions, *, endpoint: str = "") -> None:
        """`endpoint` is the server's, if it isn't the usual one: another server's objects are other objects."""
        self.options, self.endpoint = options, endpoint
        self.folder = Path(options.dir).expanduser() if options.dir else user_cache("objects")
        self._room = Room(str(self.folder), options.size)
        self._guard = Guard(self.folder, read_only=options.read_only)
        self._asked: set[str] = set()  # what the store was asked about and could not be noted on the disk
        self._swept = False
        self._in_turn = InTurn()
        self.keeps_all = False

    def read(self, address: Address, client: Client) -> bytes:
        """The object's bytes, from the disk if they are there.

        Raises:
            StorageError: they are not, and the store doesn't give them.
        """
        if not self.options.enabled:
            return client.get(address).body
        name = self._name(address)
        path = self._room.path(name)
        kept = self._guard.read(lambda: entries.load(path))
        if kept and self._is_current(kept.head, path, address, client):
            self._touch(path, kept.used)
            return kept.body
        asked, blob = time.time(), client.get(address)
        self._in_turn(lambda: self._guard.write(lambda: self._keep(name, blob, asked)), wait=self.keeps_all)
        return blob.body

    @contextlib.contextmanager
    def path(self, address: Address, client: Client) -> Iterator[Path]:
        """A file with the object's bytes and its suffix, for reading only; it is there as long as the context.

        The processes of a host fetch it once: the others wait.

        Raises:
            StorageError: the store doesn't give the object.
            OSError: neither the cache nor the folder for temporary files can take it.
        """
        held = self._whole(address, client) if self.options.enabled else None
        if held:
            try:
                yield held.path
            finally:
                held.release()
            return
        with tempfile.TemporaryDirectory(prefix="determined-mmdet-") as folder:
            path = Path(folder, address.name)
            client.get_file(address, path)
            yield path

    @property
    def takes(self) -> bool:
        """Whether new objects are added to it."""
        return self.options.enabled and not self.options.read_only

    def has(self, address: Address) -> bool:
        """Whether the disk has the object, by its length. Neither its bytes nor its version is looked at."""
        if not self.options.enabled:
            return False
        name = self._name(address)
        entry, alone = self._room.path(name), self._room.path(name + _ending(address))
        return _has(entry, entry, entries.HEAD_SIZE) or _has(alone, alone + HEAD, 0)

    def forget(self, address: Address) -> None:
        """The store has something else now: what the disk has of the object is removed."""
        for ending in ("", _ending(address), _ending(address) + HEAD):
            name = self._name(address) + ending
            self._guard.write(functools.partial(self._room.remove, name))

    def _name(self, address: Address) -> str:
        return hashlib.blake2b(f"{self.endpoint} {address}".encode(), digest_size=16).hexdigest()

    def _is_current(self, head: entries.Head, noted: str, address: Address, client: Client) -> bool:
        """Whether the object may be used: with `revalidate`, the store is asked once in a run."""
        if self.options.check == "trust" or asked_in_this_run(head.asked) or noted in self._asked:
            return True
        asked, version = time.time(), client.head(address).version
        if not version or entries.short(version) != head.version:
            return False
        with contextlib.suppress(OSError):
            if self._guard.writes:
                entries.mark_asked(noted, asked)
                return True
        self._asked.add(noted)
        return True

    def _touch(self, path: str, used: float) -> None:
        if self._guard.writes and time.time() - used > TOUCH:
            with contextlib.suppress(OSError):
                os.utime(path)

    def _keep(self, name: str, blob: Blob, asked: float) -> None:
        if not (self.keeps_all or self._room.wants(name, len(blob.body) + entries.HEAD_SIZE)):
            return
        with part(self._parts()) as filled:
            entries.write(filled.file, blob.body, asked=asked, version=blob.version)
            if not self._room.move_in(filled.path, name):
                self._no_room(len(blob.body))

    def _no_room(self, size: int) -> None:
        self._guard.warn(f"has no room for {size:,} bytes ({self._room.limits()})")

    def _parts(self) -> str:
        """The folder for files that are being written; what dead processes left there is removed first."""
        parts = f"{self.folder}/parts"
        if not self._swept:
            sweep(parts)
            self._swept = True
        return parts

    def _whole(self, address: Address, client: Client) -> whole.Held | None:
        name = self._name(address) + _ending(address)
        held = self._held(name, address, client)
        return held or self._guard.write(lambda: self._fetched_once(name, address, client))

    def _held(self, name: str, address: Address, client: Client) -> whole.Held | None:
        path = self._room.path(name)
        held = self._guard.read(lambda: whole.hold(path))
        if held:
            with contextlib.ExitStack() as stack:
                stack.callback(held.release)
                if self._is_current(held.head, path + HEAD, address, client):
                    self._touch(path, os.fstat(held.file).st_mtime)
                    stack.pop_all()
                    return held
        return None

    def _fetched_once(self, name: str, address: Address, client: Client) -> whole.Held | None:
        locks = f"{self.folder}/locks"
        os.makedirs(locks, exist_ok=True)
        with locked(f"{locks}/{name}", patience=math.inf):
            return self._held(name, address, client) or self._fetched(name, address, client)

    def _fetched(self, name: str, address: Address, client: Client) -> whole.Held | None:
        with part(self._parts()) as filled:
            asked, version = time.time(), client.get_file(address, Path(filled.path))
            head = entries.file_head(filled.path, asked=asked, version=version)
            if not whole.move_in(self._room, filled.path, name, head):
                self._no_room(head.length)
                return None
        return whole.hold(self._room.path(name))


def user_cache(name: str) -> Path:
    """The user's folder for what can be fetched again: below `$XDG_CACHE_HOME`, else below `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "determined-mmdet" / name


def _ending(address: Address) -> str:
    """What is added to the name of a file that libraries open: they look at the suffix."""
    return WHOLE + PurePosixPath(address.key).suffix[:20]


def _has(path: str, head: str, more: int) -> bool:
    """Whether `path` is as long as the head in `head` says, and `more`."""
    try:
        found = entries.head_of(head)
        return found is not None and os.stat(path).st_size == found.length + more
    except OSError:
        return False
