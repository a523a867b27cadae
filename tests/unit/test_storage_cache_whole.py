"""Cached objects that libraries open by name: annotation files, weights."""

from __future__ import annotations

import json
import multiprocessing
import os
import pathlib
import time

import pytest

from model_def.storage.address import Address
from model_def.storage.cache import Cache
from model_def.storage.cache_entry import mark_asked
from model_def.storage.cache_lock import take
from model_def.storage.client import ObjectMissing
from model_def.storage.options import CacheOptions
from tests.support.folder_store import FolderStore

ANNOTATIONS = Address(scheme="s3", bucket="coco", key="annotations/instances.train.json")
CONTENT = {"images": [{"id": number} for number in range(500)]}
BODY = json.dumps(CONTENT).encode()
FORK = multiprocessing.get_context("fork")


class SlowStore(FolderStore):
    """So slow that all who want the object meet."""

    def get_file(self, address: Address, path: pathlib.Path) -> str:
        time.sleep(0.3)
        return super().get_file(address, path)


@pytest.fixture
def store(tmp_path) -> FolderStore:
    store = SlowStore(tmp_path / "store")
    store.put(ANNOTATIONS, BODY)
    return store


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(CacheOptions(dir=str(tmp_path / "cache")))


def read(cache: Cache, store: FolderStore) -> bytes:
    with cache.path(ANNOTATIONS, store) as path:
        return path.read_bytes()


def test_it_is_the_objects_own_bytes_below_its_suffix(store, cache):
    with cache.path(ANNOTATIONS, store) as path:
        assert path.suffix == ".json"
        assert json.loads(path.read_text()) == CONTENT
        assert path.is_relative_to(cache.folder)
    assert read(cache, store) == BODY
    assert store.requests() == {"get_file": 1}


def test_all_processes_of_a_host_fetch_it_once(store, cache):
    results = FORK.SimpleQueue()
    children = [FORK.Process(target=lambda: results.put(read(cache, store))) for _ in range(4)]
    for child in children:
        child.start()
    assert [results.get() for _ in children] == [BODY] * 4
    for child in children:
        child.join()
    assert store.requests() == {"get_file": 1}


@pytest.mark.parametrize("size", [0, 100, len(BODY)])
def test_a_damaged_file_is_fetched_again(size, store, cache):
    with cache.path(ANNOTATIONS, store) as path:
        pass
    path.write_bytes(bytes(size))
    assert read(cache, store) == BODY
    assert store.requests() == {"get_file": 2}


def test_a_file_without_a_head_is_fetched_again(store, cache):
    with cache.path(ANNOTATIONS, store) as path:
        pass
    os.unlink(f"{path}.head")
    assert read(cache, store) == BODY
    assert store.requests() == {"get_file": 2}


def test_a_failure_is_an_error_and_the_next_one_may_fetch(store, cache):
    store.remove(ANNOTATIONS)
    with pytest.raises(ObjectMissing):
        read(cache, store)
    assert store.requests() == {"get_file": 1}, "the disk is not to blame"
    assert not list((cache.folder / "parts").iterdir())
    store.put(ANNOTATIONS, BODY)
    assert read(cache, store) == read(cache, store) == BODY
    assert store.requests() == {"get_file": 2}


def test_both_forms_of_an_object_stand_side_by_side(store, cache):
    assert cache.read(ANNOTATIONS, store) == read(cache, store) == cache.read(ANNOTATIONS, store) == BODY


def test_a_failing_use_lets_go(store, cache):
    with pytest.raises(ZeroDivisionError), cache.path(ANNOTATIONS, store) as path:
        1 / 0  # noqa: B018
    cache.forget(ANNOTATIONS)
    assert not path.exists()


def test_a_store_that_fails_lets_go(store, cache):
    with cache.path(ANNOTATIONS, store) as path:
        mark_asked(f"{path}.head", 0.0)
    store.remove(ANNOTATIONS)
    with pytest.raises(ObjectMissing):
        read(Cache(CacheOptions(dir=str(cache.folder), check="revalidate")), store)
    with path.open() as file:
        assert take(file.fileno())
