"""A disk that refuses: training goes on, and one warning tells."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import resource
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator

import pytest

from model_def.storage import cache_guard
from model_def.storage.address import Address
from model_def.storage.cache import Cache
from model_def.storage.options import CacheOptions
from tests.support.folder_store import FolderStore

IMAGE = Address(scheme="s3", bucket="coco", key="1.jpg")
BODY = bytes(50_000)
NOBODY = 65534
FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def notes(monkeypatch, tmp_path) -> None:
    """Where it is noted what was told."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tmp_path.chmod(0o777)


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """A folder that every user reaches: pytest's are the user's alone."""
    folder = pathlib.Path(tempfile._get_default_tempdir(), f"cache-test-{os.getpid()}")  # type: ignore[attr-defined]
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def store(folder) -> FolderStore:
    store = FolderStore(folder / "store")
    store.put(IMAGE, BODY)
    store.put(IMAGE.parent / "2.jpg", BODY)
    (store.root / "requests").touch()
    (store.root / "requests").chmod(0o666)
    return store


def told(act: Callable[[], bytes]) -> list[str]:
    """The warnings that reading gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert act() == BODY
    return [str(warning.message) for warning in caught]


def in_children(act: Callable[[], list[str]], number: int = 1) -> list[str]:
    """What `act` gives in child processes, at the same time."""
    results = FORK.SimpleQueue()
    children = [FORK.Process(target=lambda: results.put(act())) for _ in range(number)]
    for child in children:
        child.start()
    lines = [line for _ in children for line in results.get()]
    for child in children:
        child.join()
    return lines


def cache_in(folder: pathlib.Path, **options) -> Cache:
    return Cache(CacheOptions(dir=str(folder), **options))


def test_a_folder_that_cannot_be_made_is_told_once(store, tmp_path):
    (tmp_path / "file").touch()
    cache = cache_in(tmp_path / "file/cache")
    lines = [line for _ in range(3) for line in told(lambda: cache.read(IMAGE, store))]
    assert len(lines) == 1
    assert "can't be read (Not a directory)" in lines[0]


def test_a_missing_permission(folder, store):
    """Root may write anywhere, so the child is somebody else then."""
    cache = cache_in(folder / "cache")
    (folder / "cache").mkdir(mode=0o555)

    def read() -> list[str]:
        if not os.getuid():
            tempfile.tempdir = "/nowhere"
            os.setuid(NOBODY)
        return told(lambda: cache.read(IMAGE, store)) + told(lambda: cache.read(IMAGE, store))

    lines = in_children(read)
    assert lines
    assert "can't be written (Permission denied)" in lines[0]


def test_a_full_disk_is_told_once_by_all_workers(folder, store):
    cache = cache_in(folder / "cache")

    def read() -> list[str]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        return [line for _ in range(3) for line in told(lambda: cache.read(IMAGE, store))]

    lines = in_children(read, number=3)
    assert len(lines) == 1
    assert "can't be written (File too large)" in lines[0]
    assert not list(cache.folder.glob("??/*"))
    assert not list((cache.folder / "parts").iterdir()), "nothing half is left"
    assert not told(lambda: cache.read(IMAGE, store))  # here there is room
    assert cache.has(IMAGE)


def test_another_run_tells_again(store, tmp_path):
    (tmp_path / "file").touch()
    cache = cache_in(tmp_path / "file/cache")
    assert told(lambda: cache.read(IMAGE, store))
    (note,) = tmp_path.glob("determined-mmdet-*")
    os.utime(note, (1, 1))
    assert told(lambda: cache.read(IMAGE, store))
    assert not told(lambda: cache.read(IMAGE, store))


def test_writing_is_tried_again_later(folder, store, monkeypatch):
    cache = cache_in(folder / "cache")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def read(path: str) -> bytes:
        return cache.read(IMAGE.parent / path, store)

    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        assert told(lambda: read("1.jpg"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    read("1.jpg")
    assert not cache.has(IMAGE), "it rests"
    monkeypatch.setattr(cache_guard.time, "monotonic", lambda now=cache_guard.time.monotonic: now() + cache_guard.PAUSE)
    read("1.jpg")
    assert cache.has(IMAGE)


def state(folder: pathlib.Path) -> dict[str, tuple[float, bytes]]:
    found = {str(path): path for path in folder.rglob("*") if path.is_file()}
    return {name: (path.stat().st_mtime, path.read_bytes()) for name, path in found.items()}


@pytest.mark.parametrize("check", ["trust", "revalidate"])
def test_read_only_never_writes(folder, store, check):
    writer = cache_in(folder / "cache")
    writer.read(IMAGE, store)
    with writer.path(IMAGE, store):
        pass
    for path in writer.folder.rglob("*"):
        os.utime(path, (1, 1))
    before = state(writer.folder)
    cache = cache_in(folder / "cache", read_only=True, check=check)
    other = IMAGE.parent / "2.jpg"
    for _ in range(2):
        assert cache.read(IMAGE, store) == cache.read(other, store) == BODY
        with cache.path(IMAGE, store) as kept, cache.path(other, store) as passing:
            assert kept.read_bytes() == passing.read_bytes() == BODY
    cache.forget(IMAGE)
    assert state(writer.folder) == before
    assert kept.exists()
    assert not passing.exists()


def test_a_file_is_given_where_the_cache_cannot_keep_it(folder, store, tmp_path):
    (tmp_path / "file").touch()
    cache = cache_in(tmp_path / "file/cache")
    paths = []

    def read() -> bytes:
        with cache.path(IMAGE, store) as path:
            paths.append(path)
            return path.read_bytes()

    (line,) = told(read)
    assert "can't be read" in line
    assert paths[0].name == "1.jpg"
    assert not paths[0].exists()
