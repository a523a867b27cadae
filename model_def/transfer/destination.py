"""Where a data set goes to: a folder of this machine, or a prefix of a bucket. A file is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from model_def.errors import OutputError
from model_def.storage.address import Address
from model_def.storage.client import Client, Stat
from model_def.storage.whole import pieces_of

IN_MEMORY = 32 << 20  # bytes of the largest file that is sent from memory


class Destination(Protocol):
    """Files by name, relative to the place itself; slashes are folders."""

    def __str__(self) -> str: ...

    def sizes(self, folder: str) -> dict[str, int]:
        """The files below `folder` and their bytes."""
        ...

    def write(self, name: str, size: int, pieces: Iterator[bytes]) -> None:
        """Keep a file of `size` bytes, once all of its pieces have come."""
        ...

    def read(self, name: str) -> Iterator[bytes]:
        """A file's bytes, piece by piece."""
        ...

    def room(self) -> int | None:
        """Free bytes; None if there is no end to them."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """While it is entered, no other download writes there, where two would disturb each other."""
        ...


class Folder:
    """A folder, made when the first file comes."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser()

    def __str__(self) -> str:
        return str(self.root)

    def sizes(self, folder: str) -> dict[str, int]:
        """As `Destination.sizes`. Files that are being written don't count."""
        found = {}
        for path, _, names in os.walk(self.root / folder):
            for name in names:
                if not name.endswith(".part"):
                    file = Path(path, name)
                    found[file.relative_to(self.root).as_posix()] = file.stat().st_size
        return found

    def write(self, name: str, size: int, pieces: Iterator[bytes]) -> None:
        """As `Destination.write`: beside its place, then renamed. What a killed run left there is written over."""
        target = self.root / name
        part = target.with_name(f".{target.name}.part")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
            os.replace(part, target)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise

    def read(self, name: str) -> Iterator[bytes]:
        """As `Destination.read`."""
        with (self.root / name).open("rb") as file:
            yield from pieces_of(file)

    def room(self) -> int | None:
        """As `Destination.room`."""
        there = next(parent for parent in (self.root, *self.root.absolute().parents) if parent.exists())
        return shutil.disk_usage(there).free

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """As `Destination.alone`.

        Raises:
            OutputError: another process is at it, or the folder can't be written.
        """
        lock = FileLock(self.root / ".download.lock")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            what = "another process downloads into this folder"
            raise OutputError(what=what, value=str(self), next="wait for it, or choose another folder") from error
        except OSError as error:
            what = "the folder can't be written"
            raise OutputError(what=what, value=str(self), where=str(error), next="choose another folder") from error
        try:
            yield
        finally:
            lock.release()


class Prefix:
    """A prefix of a bucket."""

    def __init__(self, address: Address, client: Client) -> None:
        self.address, self._client = address, client

    def __str__(self) -> str:
        return str(self.address)

    def sizes(self, folder: str) -> dict[str, int]:
        """As `Destination.sizes`."""
        return {name: stat.size for name, stat in self.stats(folder).items()}

    def stats(self, folder: str) -> dict[str, Stat]:
        """The objects below `folder`, by name; one request for 1000 of them."""
        skip = len(self.address.folder.key)
        return {stat.address.key[skip:]: stat for stat in self._client.list((self.address / folder).folder)}

    def put_file(self, name: str, path: Path) -> None:
        """Send a file of this machine."""
        self._client.put_file(self.address / name, path)

    def write(self, name: str, size: int, pieces: Iterator[bytes]) -> None:
        """As `Destination.write`. A large file waits on this machine's disk until all of it has come."""
        if size <= IN_MEMORY:
            self._client.put(self.address / name, b"".join(pieces))
            return
        with tempfile.NamedTemporaryFile() as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            self._client.put_file(self.address / name, Path(file.name))

    def read(self, name: str) -> Iterator[bytes]:
        """As `Destination.read`, by way of this machine's disk."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "object")
            self._client.get_file(self.address / name, file)
            with file.open("rb") as opened:
                yield from pieces_of(opened)

    def room(self) -> int | None:
        """A bucket has no end."""
        return None

    def alone(self) -> AbstractContextManager[None]:
        """Each object is written whole: two downloads only do the same twice."""
        return contextlib.nullcontext()
