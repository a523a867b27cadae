"""What goes from a full cache: of a sample of the files, those that were not used for longest."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from model_def.storage.cache_lock import release, take

SHARDS = 256  # folders, named by two hexadecimal digits
SAMPLE = 1000  # files among which the oldest are looked for
SHARE = 0.1  # of these, by bytes, go at a time
UNUSED = 86_400.0  # seconds: what nobody used for so long goes as soon as room is made
BLOCK = 4096  # bytes: what a file takes on the disk is a multiple of it
WHOLE, HEAD = "-whole", ".head"  # in names: a file that is used under its name, and the head that belongs to it


class Found(NamedTuple):
    """A file: when it was used last, in seconds since the epoch; what it takes on the disk, in bytes; its path."""

    used: float
    size: int
    path: str


def taken(size: int) -> int:
    """What a file of `size` bytes takes on the disk."""
    return -(-size // BLOCK) * BLOCK


def files(folder: str, shard: int) -> Iterator[Found]:
    """The files in one of the folders."""
    with contextlib.suppress(FileNotFoundError), os.scandir(f"{folder}/{shard:02x}") as entries:
        for entry in entries:
            status = entry.stat()
            yield Found(status.st_mtime, taken(status.st_size), entry.path)


def samples(folder: str) -> Iterator[dict[int, list[Found]]]:
    """Twice round all folders, from anyone on: some of them with their files, `SAMPLE` files or more together."""
    start = os.urandom(1)[0]  # not `random`: training draws from that
    sample: dict[int, list[Found]] = {}
    for step in range(2 * SHARDS):
        shard = (start + step) % SHARDS
        sample[shard] = list(files(folder, shard))
        if sum(map(len, sample.values())) >= SAMPLE or shard == (start - 1) % SHARDS:
            yield sample
            sample = {}


def remove_oldest(found: Iterable[Found], share: float) -> Iterator[Found]:
    """Remove the least recently used files until `share` of their bytes is gone, and all `UNUSED` ones; gives these."""
    unused = time.time() - UNUSED
    oldest = sorted(file for file in found if not file.path.endswith(HEAD))
    excess = share * sum(file.size for file in oldest)
    for file in oldest:
        if excess <= 0 and file.used > unused:
            return
        if _remove(file.path):
            excess -= file.size
            yield file


def _remove(path: str) -> bool:
    """Remove the file, unless it is in use under its name."""
    with contextlib.suppress(FileNotFoundError):
        if WHOLE not in os.path.basename(path):
            os.unlink(path)
            return True
        file = os.open(path, os.O_RDONLY)
        try:
            if not take(file):
                return False
            os.unlink(path)
            os.unlink(path + HEAD)
        finally:
            release(file)
    return True
