"""The disk cache's bound: what goes, what stays, and that what is counted is what there is."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import pathlib
import random
import struct
import tempfile
import threading
import time
import warnings

import pytest

from model_def.storage import cache_evict, cache_room
from model_def.storage.address import Address
from model_def.storage.cache import Cache
from model_def.storage.cache_lock import LEFT_OVER, locked
from model_def.storage.options import CacheOptions
from tests.support.folder_store import FolderStore

SIZE = 3900  # bytes of an object: with its head still one block of the disk
BLOCK = cache_evict.BLOCK
FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def takes_all(monkeypatch) -> None:
    """Every newcomer to a full cache is taken."""
    monkeypatch.setattr(cache_room, "NEWCOMERS", 1e9)


@pytest.fixture(autouse=True)
def _no_other_warning(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where it is noted what was told
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


@pytest.fixture
def store(tmp_path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def objects(store) -> list[Address]:
    addresses = [Address(scheme="s3", bucket="coco", key=f"{number}.jpg") for number in range(30)]
    for number, address in enumerate(addresses):
        store.put(address, bytes([number]) * SIZE)
    return addresses


@pytest.fixture
def cache(tmp_path) -> Cache:
    """One with room for ten objects."""
    return Cache(CacheOptions(dir=str(tmp_path / "cache"), size=10 * BLOCK))


def files(cache: Cache) -> list[pathlib.Path]:
    return sorted(cache.folder.glob("??/*"))


def on_disk(cache: Cache) -> int:
    return sum(-(-path.stat().st_size // BLOCK) * BLOCK for path in files(cache))


def counted(cache: Cache) -> int:
    return sum(struct.unpack("<256q", (cache.folder / "sizes").read_bytes()))


def age(cache: Cache, address: Address, seconds: float) -> None:
    when = time.time() - seconds
    os.utime(cache._room.path(cache._name(address)), (when, when))


def test_the_least_recently_used_go(store, objects, cache):
    for number, address in enumerate(objects[:10]):
        cache.read(address, store)
        age(cache, address, 10_000 - number)
    cache.read(objects[0], store)  # the oldest is used again
    for address in objects[10:13]:
        cache.read(address, store)
    assert [number for number in range(13) if cache.has(objects[number])] == [0, *range(4, 13)]


def test_it_is_never_above_its_bound_and_counts_right(store, objects, cache):
    for address in objects * 3:
        cache.read(address, store)
        assert on_disk(cache) == counted(cache) <= 10 * BLOCK
    assert len(files(cache)) == 10


def test_an_object_that_came_again_counts_once(store, objects, cache):
    for _ in range(3):
        cache.read(objects[0], store)
        os.truncate(files(cache)[0], 100)
    cache.read(objects[0], store)
    assert counted(cache) == on_disk(cache) == BLOCK


def test_what_was_forgotten_is_not_counted(store, objects, cache):
    cache.read(objects[0], store)
    cache.forget(objects[0])
    assert counted(cache) == on_disk(cache) == 0


def test_an_object_larger_than_the_bound_is_read_and_told_once(store, objects, cache):
    for address in objects[:3]:
        cache.read(address, store)
    large = objects[0].parent / "large.json"
    store.put(large, bytes(11 * BLOCK))
    with pytest.warns(RuntimeWarning, match="has no room for 45,056 bytes"):
        assert len(cache.read(large, store)) == 11 * BLOCK
    assert len(cache.read(large, store)) == 11 * BLOCK
    with cache.path(large, store) as path:
        assert path.stat().st_size == 11 * BLOCK
    assert not path.exists()
    assert all(map(cache.has, objects[:3])), "nothing had to go for it"


def test_a_large_object_makes_room(store, objects, cache):
    for address in objects[:10]:
        cache.read(address, store)
    large = objects[0].parent / "large.pth"
    store.put(large, bytes(7 * BLOCK))
    with cache.path(large, store):
        pass
    assert cache.has(large)
    assert on_disk(cache) <= 10 * BLOCK


def test_a_disk_with_little_room_is_left_alone(store, objects, cache, monkeypatch):
    monkeypatch.setattr(cache_room, "SPARE", (1.0, 10**18))  # all of the disk shall stay free
    with pytest.warns(RuntimeWarning, match=r"has no room .*its disk has ([\d,]+) free, of which \d[\d,]+ stay free"):
        assert cache.read(objects[0], store) == bytes(SIZE)
    assert not files(cache)


def test_what_was_removed_by_hand_is_set_right(store, objects, cache):
    for address in objects[:10]:
        cache.read(address, store)
    for path in files(cache)[:8]:
        path.unlink()
    for address in objects[10:18]:
        cache.read(address, store)
    assert on_disk(cache) == counted(cache)
    assert len(files(cache)) >= 9


def test_a_lost_count_is_made_anew(store, objects, cache):
    for address in objects[:5]:
        cache.read(address, store)
    (cache.folder / "sizes").unlink()
    cache.read(objects[5], store)
    assert counted(cache) == on_disk(cache) == 6 * BLOCK


def test_large_caches_look_at_a_sample(store, objects, cache, monkeypatch):
    monkeypatch.setattr(cache_evict, "SAMPLE", 3)
    for address in objects * 2:
        cache.read(address, store)
        assert on_disk(cache) == counted(cache) <= 10 * BLOCK
    assert len(files(cache)) >= 7


def test_epochs_of_more_than_fits_find_most_of_what_is_kept(store, objects, monkeypatch, tmp_path):
    """If all newcomers were taken, 15 % would be found."""
    monkeypatch.setattr(cache_room, "NEWCOMERS", 0.1)
    cache, chance = Cache(CacheOptions(dir=str(tmp_path / "cache"), size=15 * BLOCK)), random.Random(0)
    for _ in range(3):
        for address in objects:
            cache.read(address, store)
    before = store.requests()["get"]
    for _ in range(20):
        for address in chance.sample(objects, len(objects)):
            cache.read(address, store)
    found = 1 - (store.requests()["get"] - before) / (20 * len(objects))
    assert 0.35 < found < 0.5


def test_a_full_cache_keeps_all_that_it_is_told_to(store, objects, cache, monkeypatch):
    monkeypatch.setattr(cache_room, "NEWCOMERS", 0)
    for address in objects[:10]:
        cache.read(address, store)
    cache.read(objects[10], store)
    assert not cache.has(objects[10])
    cache.keeps_all = True
    cache.read(objects[10], store)
    assert cache.has(objects[10])
    cache.keeps_all = False
    os.truncate(cache._room.path(cache._name(objects[10])), 100)
    cache.read(objects[10], store)
    assert cache.has(objects[10]), "it isn't new"
    with cache.path(objects[11], store):
        assert cache.has(objects[11]), "nor are files that libraries open"


def test_what_nobody_used_for_a_day_goes_at_once(store, objects, cache):
    for number, address in enumerate(objects[:10]):
        cache.read(address, store)
        age(cache, address, cache_evict.UNUSED * (0.9 if number < 4 else 1.1))
    cache.read(objects[10], store)
    assert [number for number in range(11) if cache.has(objects[number])] == [0, 1, 2, 3, 10]


def test_a_file_in_use_stays_and_goes_later(store, objects, cache):
    with cache.path(objects[0], store) as path:
        os.utime(path, (1, 1))
        for address in objects[1:]:
            cache.read(address, store)
        assert path.read_bytes() == bytes(SIZE)
        assert on_disk(cache) <= 10 * BLOCK
    for address in objects[1:]:
        cache.read(address, store)
    assert not path.exists()


def test_left_overs_of_the_dead_are_removed(store, objects, cache):
    parts = cache.folder / "parts"
    parts.mkdir(parents=True)
    for name in ("dead", "alive", "young"):
        (parts / name).write_bytes(b"half")
        if name != "young":
            os.utime(parts / name, (time.time() - LEFT_OVER - 10,) * 2)
    with (parts / "alive").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        cache.read(objects[0], store)
    assert sorted(path.name for path in parts.iterdir()) == ["alive", "young"]


def test_a_stopped_process_stops_nobody(store, objects, cache, monkeypatch):
    monkeypatch.setattr(cache_room, "PATIENCE", 0.1)
    cache.folder.mkdir()
    with locked(str(cache.folder / "sizes"), patience=0):
        with pytest.warns(RuntimeWarning, match="locked by another"):
            assert cache.read(objects[0], store) == bytes(SIZE)
        assert cache.read(objects[1], store) == bytes([1]) * SIZE


def test_a_child_that_was_forked_under_a_lock_keeps_none(cache, tmp_path):
    """The child has the descriptor too, so closing it here alone would leave the file locked."""
    forked, end = threading.Event(), FORK.Event()
    path = str(tmp_path / "lock")

    def hold():
        with locked(path, patience=0):
            inside.set()
            forked.wait(10)

    inside = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    child = FORK.Process(target=end.wait, args=(10,))
    child.start()
    forked.set()
    thread.join()
    try:
        with locked(path, patience=1):
            pass
    finally:
        end.set()
        child.join()
