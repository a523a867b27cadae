"""Locks between the processes and threads of one host, and files that are written under one.

Paths are plain texts here and in what builds on it: making a `Path` costs as much as opening a file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from typing import NamedTuple

PAUSE = 0.001  # seconds between two tries for a lock
LEFT_OVER = 3600.0  # seconds without a write after which a part that nobody has locked is a dead process's


class Part(NamedTuple):
    """A file that is being written: its path, and its descriptor."""

    path: str
    file: int


def take(file: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Lock the open `file` if nobody else has."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def release(file: int) -> None:
    """Unlock and close. A child that was forked meanwhile has the descriptor too: closing alone would not unlock."""
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_UN)
    os.close(file)


@contextlib.contextmanager
def locked(path: str, *, patience: float) -> Iterator[int]:
    """Inside, this thread alone has the file `path`, which is made if need be; gives its descriptor.

    Args:
        path: of a file that is there for this.
        patience: seconds to wait. A process that was stopped with the lock must not stop all others.

    Raises:
        TimeoutError: another had it all the time.
        OSError: the file can't be made or locked.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        end = time.monotonic() + patience
        while not take(file):
            if time.monotonic() > end:
                raise TimeoutError(f"{path} was locked by another process for {patience:.0f} seconds")
            time.sleep(PAUSE)
        yield file
    finally:
        release(file)


@contextlib.contextmanager
def part(folder: str) -> Iterator[Part]:
    """A new empty file in `folder` for somebody to fill and move away; what is not moved is gone afterwards."""
    path = f"{folder}/{uuid.uuid4().hex}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        file = os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        file = os.open(path, flags, 0o666)
    try:
        take(file)  # says to `sweep` that the writer lives
        yield Part(path, file)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        release(file)


def sweep(folder: str) -> None:
    """Remove the parts in `folder` whose writers died."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
        for entry in found:
            with contextlib.suppress(FileNotFoundError):
                if time.time() - entry.stat().st_mtime > LEFT_OVER:
                    _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        if take(file):
            os.unlink(path)
    finally:
        release(file)
