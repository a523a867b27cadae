"""The disk cache: what is served, what is fetched again, what the store is asked."""

from __future__ import annotations

import os
import pathlib
import pickle
import time
import warnings

import pytest

from model_def.storage.address import Address
from model_def.storage.cache import TOUCH, Cache, user_cache
from model_def.storage.cache_entry import HEAD_SIZE, mark_asked, short
from model_def.storage.client import ObjectMissing
from model_def.storage.options import CacheOptions
from tests.support.folder_store import FolderStore

IMAGE = Address(scheme="s3", bucket="coco", key="train/000001.jpg")
BODY = bytes(range(256)) * 40


@pytest.fixture
def store(tmp_path) -> FolderStore:
    store = FolderStore(tmp_path / "store")
    store.put(IMAGE, BODY)
    return store


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(CacheOptions(dir=str(tmp_path / "cache")))


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def kept(cache: Cache) -> list[pathlib.Path]:
    return sorted(cache.folder.glob("??/*"))


def test_the_second_read_asks_nobody(store, cache):
    assert [cache.read(IMAGE, store), cache.read(IMAGE, store)] == [BODY, BODY]
    assert store.requests() == {"get": 1}


def test_an_empty_object_is_cached(store, cache):
    store.put(IMAGE, b"")
    assert [cache.read(IMAGE, store), cache.read(IMAGE, store)] == [b"", b""]
    assert store.requests() == {"get": 1}


def test_another_server_has_other_objects(store, cache):
    cache.read(IMAGE, store)
    Cache(cache.options, endpoint="http://localhost:9000").read(IMAGE, store)
    assert store.requests() == {"get": 2}


def test_without_a_cache_nothing_is_written(store, tmp_path):
    cache = Cache(CacheOptions(dir=str(tmp_path / "cache"), enabled=False))
    assert [cache.read(IMAGE, store), cache.read(IMAGE, store)] == [BODY, BODY]
    assert not cache.has(IMAGE)
    assert not cache.folder.exists()


def test_a_missing_object_is_told_and_not_remembered(store, cache):
    missing = IMAGE.parent / "000002.jpg"
    with pytest.raises(ObjectMissing):
        cache.read(missing, store)
    store.put(missing, b"there")
    assert cache.read(missing, store) == b"there"


def overwrite(path: pathlib.Path, at: int, new: bytes) -> None:
    with path.open("rb+") as file:
        file.seek(at)
        file.write(new)


DAMAGE = {
    "cut in the middle": lambda path: os.truncate(path, HEAD_SIZE + 500),
    "cut in the head": lambda path: os.truncate(path, 50),
    "empty": lambda path: os.truncate(path, 0),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "a byte of the body": lambda path: overwrite(path, HEAD_SIZE + 300, b"?"),
    "zeros at the end, as after a crash": lambda path: overwrite(path, HEAD_SIZE + 4096, bytes(1000)),
    "all zeros": lambda path: path.write_bytes(bytes(len(BODY) + HEAD_SIZE)),
    "another format": lambda path: overwrite(path, 0, b"xxxx"),
    "an absurd length": lambda path: overwrite(path, 8, b"\xff" * 8),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_never_served(damage, store, cache):
    cache.read(IMAGE, store)
    (path,) = kept(cache)
    damage(path)
    assert [cache.read(IMAGE, store), cache.read(IMAGE, store)] == [BODY, BODY]
    assert store.requests() == {"get": 2}


def test_it_crosses_pickling(store, cache):
    cache.read(IMAGE, store)
    assert pickle.loads(pickle.dumps(cache)).read(IMAGE, store) == BODY
    assert store.requests() == {"get": 1}


def test_has_and_forget(store, cache):
    assert not cache.has(IMAGE)
    cache.read(IMAGE, store)
    with cache.path(IMAGE, store):
        assert cache.has(IMAGE)
    cache.forget(IMAGE)
    assert not cache.has(IMAGE)
    assert not kept(cache)
    cache.forget(IMAGE)


def test_a_use_is_noted_now_and_then(store, cache):
    cache.read(IMAGE, store)
    (path,) = kept(cache)
    recently, long_ago = time.time() - TOUCH / 2, time.time() - TOUCH - 10
    os.utime(path, (recently, recently))
    cache.read(IMAGE, store)
    assert path.stat().st_mtime == pytest.approx(recently)
    os.utime(path, (long_ago, long_ago))
    cache.read(IMAGE, store)
    assert path.stat().st_mtime > time.time() - 60


def test_the_folder_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache("objects") == tmp_path / "determined-mmdet/objects"
    assert Cache(CacheOptions()).folder == user_cache("objects")


class TestRevalidate:
    @pytest.fixture
    def cache(self, tmp_path) -> Cache:
        return Cache(CacheOptions(dir=str(tmp_path / "cache"), check="revalidate"))

    @pytest.fixture
    def next_run(self, cache):
        """What is kept was asked about a day ago."""

        def begin():
            for path in kept(cache):
                if path.name.endswith(".head") or "-whole" not in path.name:
                    mark_asked(str(path), time.time() - 86400)

        return begin

    def test_an_unchanged_object_is_asked_about_once_in_a_run(self, store, cache, next_run):
        cache.read(IMAGE, store)
        next_run()
        assert [cache.read(IMAGE, store) for _ in range(3)] == [BODY] * 3
        assert store.requests() == {"get": 1, "head": 1}

    def test_a_changed_object_is_fetched(self, store, cache, next_run):
        cache.read(IMAGE, store)
        next_run()
        store.put(IMAGE, b"new")
        assert [cache.read(IMAGE, store) for _ in range(3)] == [b"new"] * 3
        assert store.requests() == {"get": 2, "head": 1}

    def test_a_changed_file_is_fetched(self, store, cache, next_run):
        with cache.path(IMAGE, store):
            pass
        next_run()
        store.put(IMAGE, b"new")
        for _ in range(2):
            with cache.path(IMAGE, store) as path:
                assert path.read_bytes() == b"new"
        assert store.requests() == {"get_file": 2, "head": 2}  # one more under the lock

    def test_trust_serves_what_it_has(self, store, cache, next_run):
        cache.read(IMAGE, store)
        next_run()
        store.put(IMAGE, b"new")
        assert Cache(CacheOptions(dir=str(cache.folder))).read(IMAGE, store) == BODY
        assert store.requests() == {"get": 1}

    def test_a_removed_object_is_missing(self, store, cache, next_run):
        cache.read(IMAGE, store)
        next_run()
        store.remove(IMAGE)
        with pytest.raises(ObjectMissing):
            cache.read(IMAGE, store)

    def test_a_cache_that_may_not_be_written_asks_once_in_a_process(self, store, cache, next_run):
        cache.read(IMAGE, store)
        next_run()
        reader = Cache(CacheOptions(dir=str(cache.folder), check="revalidate", read_only=True))
        assert [reader.read(IMAGE, store) for _ in range(3)] == [BODY] * 3
        assert store.requests() == {"get": 1, "head": 1}


def test_a_long_version_has_room():
    assert short("a" * 104) == "a" * 104
    assert len(short("a" * 105)) == 64
    assert short("a" * 105) != short("a" * 106)
