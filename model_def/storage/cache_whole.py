"""A cached object that is used under a name: the file is the object's own bytes, its head lies beside it."""

from __future__ import annotations

import dataclasses
import fcntl
import os
from pathlib import Path

from model_def.storage import cache_entry as entries
from model_def.storage.cache_evict import HEAD
from model_def.storage.cache_lock import part, release
from model_def.storage.cache_room import Room


@dataclasses.dataclass(frozen=True, kw_only=True)
class Held:
    """A file that nobody removes until `release`, or the end of the process."""

    path: Path
    head: entries.Head
    file: int

    def release(self) -> None:
        """From now on it may go."""
        release(self.file)


def hold(path: str) -> Held | None:
    """The object in `path`; None if it isn't there or a byte of it is wrong.

    Raises:
        OSError: it is there and can't be read.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH)  # who removes or writes it has it for microseconds
        head = entries.head_of(path + HEAD)
        with os.fdopen(file, "rb", buffering=0, closefd=False) as opened:
            if os.fstat(file).st_nlink and head and entries.matches(opened, head):
                return Held(path=Path(path), head=head, file=file)
    except BaseException:
        release(file)
        raise
    release(file)
    return None


def move_in(room: Room, filled: str, name: str, head: entries.Head) -> bool:
    """Make the file `filled` the object `name`, if there is room for it."""
    with part(os.path.dirname(filled)) as beside:
        os.write(beside.file, head.pack())
        # First the head: with the old bytes it doesn't match, and they are not used.
        return room.move_in(beside.path, name + HEAD) and room.move_in(filled, name)
