"""One disk cache under several processes: some are killed while they write, and it never outgrows its bound.

`make soak` kills two hundred.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pathlib
import random
import resource
import signal
import time
from typing import Any

import pytest

from model_def.storage import cache_evict, cache_room
from model_def.storage.address import Address
from model_def.storage.cache import Cache
from model_def.storage.cache_lock import LEFT_OVER, locked
from model_def.storage.options import CacheOptions
from tests.support.made_store import MadeStore, bodies

KILLS = int(os.environ.get("KILLS", "20"))
SIZE = 400_000  # of an object at most: its writing takes most of a reader's time
BLOCK = cache_evict.BLOCK
OBJECTS = [Address(scheme="s3", bucket="coco", key=f"{number:06}.jpg") for number in range(40)]
MADE = bodies(OBJECTS, SIZE)
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Cache:
    """One that a quarter of the objects fill, and that takes every newcomer."""
    monkeypatch.setattr(cache_room, "NEWCOMERS", 1e9)
    return Cache(CacheOptions(dir=str(tmp_path / "cache"), size=10 * SIZE))


def read_on(cache: Cache, seed: int, wrong: Any) -> None:
    """Read for ever, some by name, and count what is wrong."""
    chance, store = random.Random(seed), MadeStore(MADE)
    while True:
        address = chance.choice(OBJECTS)
        if chance.random() < 0.2:
            with cache.path(address, store) as path:
                found = path.read_bytes()
        else:
            found = cache.read(address, store)
        if found != MADE[address]:
            wrong.value += 1


def start(cache: Cache, seed: int, wrong: Any) -> Any:
    process = FORK.Process(target=read_on, args=(cache, seed, wrong), daemon=True)
    process.start()
    return process


def end(process: Any) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def taken(folder: pathlib.Path) -> tuple[int, int]:
    """Bytes on the disk, and how many of these are still being written; nobody adds or removes meanwhile."""
    with locked(str(folder / "sizes"), patience=10):
        parts = [status.st_size for path in folder.glob("parts/*") if (status := stat(path))]
        kept = [status.st_size for path in folder.glob("??/*") if (status := stat(path))]
    return sum(-(-size // BLOCK) * BLOCK for size in kept), sum(parts)


def stat(path: pathlib.Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def test_readers_that_are_killed_leave_nothing_wrong(cache):
    chance, wrong, seeds = random.Random(0), FORK.Value("i", 0), itertools.count()
    readers = [start(cache, next(seeds), wrong) for _ in range(2)]
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.02, 0.1))
            end(readers.pop(0))
            readers.append(start(cache, next(seeds), wrong))
    finally:
        for reader in readers:
            end(reader)
    assert wrong.value == 0
    store = MadeStore(MADE)
    kept = [address for address in OBJECTS if cache.has(address)]
    assert kept
    assert all(cache.read(address, store) == MADE[address] for address in kept)


def test_what_a_killed_writer_left_goes(cache):
    """The system kills the writer in the middle: a file of that size is more than it may write."""

    def write() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        cache.read(OBJECTS[0], MadeStore(MADE))

    writer = FORK.Process(target=write)
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGXFSZ
    parts = cache.folder / "parts"
    (left,) = parts.iterdir()
    assert 0 < left.stat().st_size <= 30_000
    os.utime(left, (time.time() - LEFT_OVER - 10,) * 2)
    assert not cache.has(OBJECTS[0])
    assert cache.read(OBJECTS[0], MadeStore(MADE)) == MADE[OBJECTS[0]]
    assert not list(parts.iterdir())


def test_four_processes_stay_within_the_bound(cache):
    wrong = FORK.Value("i", 0)
    readers = [start(cache, seed, wrong) for seed in range(4)]
    try:
        deadline, looks, most = time.monotonic() + 2, 0, 0
        while time.monotonic() < deadline or looks < 10:
            time.sleep(0.01)
            if (cache.folder / "sizes").exists():
                kept, writing = taken(cache.folder)
                assert kept <= cache.options.size
                assert writing <= len(readers) * (SIZE + BLOCK)
                most, looks = max(most, kept), looks + 1
    finally:
        for reader in readers:
            end(reader)
    assert most > 0.8 * cache.options.size, "it was full"
    assert wrong.value == 0
