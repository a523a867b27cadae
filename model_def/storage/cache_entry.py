"""One cached object as a file: a head that says what must follow, then the object's bytes."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import struct
from typing import BinaryIO

from model_def.storage.whole import crc32c, pieces_of

_LAYOUT = struct.Struct("<4sIQd104s")
_ASKED_AT = 16  # where in the head the time lies
_MAGIC = b"mmd1"

HEAD_SIZE = _LAYOUT.size


@dataclasses.dataclass(frozen=True, kw_only=True)
class Head:
    """What is known about an object's bytes.

    Attributes:
        checksum: their CRC-32C. *Measured*: 5 µs for 130 KB, against 23 for zlib's CRC-32 and 82 for SHA-256.
        length: how many there are.
        asked: when the store said last that this is its version, in seconds since the epoch.
        version: of the object, as `short` writes it.
    """

    checksum: int
    length: int
    asked: float
    version: str

    def pack(self) -> bytes:
        """As `HEAD_SIZE` bytes."""
        return _LAYOUT.pack(_MAGIC, self.checksum, self.length, self.asked, self.version.encode())

    @classmethod
    def unpack(cls, packed: bytes) -> Head | None:
        """The head that `pack` made, or None if these are other bytes."""
        if len(packed) != HEAD_SIZE:
            return None
        magic, checksum, length, asked, version = _LAYOUT.unpack(packed)
        if magic != _MAGIC:
            return None
        version = version.rstrip(b"\0").decode(errors="replace")
        return cls(checksum=checksum, length=length, asked=asked, version=version)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kept:
    """A cached object: `used` is when it was last used, in seconds since the epoch, to some minutes."""

    head: Head
    body: bytes
    used: float


def short(version: str) -> str:
    """`version`, or its hash if a head has no room for it."""
    return version if len(version.encode()) <= 104 else hashlib.sha256(version.encode()).hexdigest()


def file_head(path: str, *, asked: float, version: str) -> Head:
    """The head of an object whose bytes are the file `path`."""
    with open(path, "rb", buffering=0) as file:
        found = crc32c(pieces_of(file))
        return Head(checksum=found, length=file.tell(), asked=asked, version=short(version))


def write(file: int, body: bytes, *, asked: float, version: str) -> None:
    """Fill the new open `file` with an object.

    Raises:
        OSError: the disk refuses.
    """
    head = Head(checksum=crc32c([body]), length=len(body), asked=asked, version=short(version)).pack()
    written = os.writev(file, [head, body])  # all of it, in general
    while written < HEAD_SIZE + len(body):
        written += os.write(file, memoryview(head + body)[written:])


def load(path: str) -> Kept | None:
    """The object in the file `path`; None if there is no such file or a byte of it is wrong.

    Raises:
        OSError: the file is there and can't be read.
    """
    with contextlib.suppress(FileNotFoundError), open(path, "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        head = Head.unpack(file.read(HEAD_SIZE))
        if head and head.length == status.st_size - HEAD_SIZE:
            body = file.readall()
            if len(body) == head.length and crc32c([body]) == head.checksum:
                return Kept(head=head, body=body, used=status.st_mtime)
    return None


def head_of(path: str) -> Head | None:
    """The head in the file `path`, if there is one."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb", buffering=0) as file:
        return Head.unpack(file.read(HEAD_SIZE))
    return None


def matches(file: BinaryIO, head: Head) -> bool:
    """Whether the open `file`, from its beginning, has the bytes that `head` describes."""
    if os.fstat(file.fileno()).st_size != head.length:
        return False
    return crc32c(pieces_of(file)) == head.checksum


def mark_asked(path: str, asked: float) -> None:
    """Note in the head in `path` that the store was asked at `asked`."""
    with open(path, "rb+", buffering=0) as file:
        file.seek(_ASKED_AT)
        file.write(struct.pack("<d", asked))
