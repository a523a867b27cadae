"""Clients and backends in forked and spawned processes: no connection crosses over."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pathlib
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from mmengine.fileio.io import get, get_file_backend

from model_def.storage.per_process import PerProcess
from model_def.storage.register import register
from tests.support.servers import FaultServer, fault_server

OBJECTS, CHILDREN = 50, 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    root = tmp_path_factory.mktemp("objects")
    (root / "bkt").mkdir()
    for index in range(OBJECTS):
        (root / f"bkt/{index}").write_bytes(body(index))
    with fault_server(root, latency=0.003) as running:
        yield running


@pytest.fixture
def backend_args(faulty_backend_args: dict[str, Any]) -> dict[str, Any]:
    return faulty_backend_args


def body(index: int) -> bytes:
    return hashlib.blake2b(str(index).encode()).digest() * 600


def url(backend_args: dict[str, Any], index: int) -> str:
    return f"{'s3' if backend_args['backend'] == 's3' else 'gs'}://bkt/{index}"


def read_all(backend_args: dict[str, Any], first: int, results: Any) -> None:
    """In a child: every object once, each child from another one on."""
    register()  # a spawned child has imported nothing
    order = [(first + index) % OBJECTS for index in range(OBJECTS)]
    try:
        wrong = [index for index in order if get(url(backend_args, index), backend_args) != body(index)]
    except OSError as error:
        results.put(f"{type(error).__name__}: {error}")
    else:
        results.put(wrong)


def read_in_children(method: str, backend_args: dict[str, Any], count: int) -> list[Any]:
    context = multiprocessing.get_context(method)
    results = context.SimpleQueue()
    children = [context.Process(target=read_all, args=(backend_args, 7 * n, results)) for n in range(count)]
    for child in children:
        child.start()
    found = [results.get() for _ in children]
    for child in children:
        child.join()
    return found


def test_forked_children_read_right_bytes_after_the_parent_did(backend_args: dict[str, Any]) -> None:
    for index in range(OBJECTS):
        assert get(url(backend_args, index), backend_args) == body(index)
    assert read_in_children("fork", backend_args, CHILDREN) == [[]] * CHILDREN
    assert get(url(backend_args, 0), backend_args) == body(0)  # and the parent goes on


@pytest.mark.parametrize("backend_args", ["s3"], indirect=True)  # a spawned child imports mmengine: seconds
def test_a_backend_that_was_used_can_be_sent_to_a_spawned_child(backend_args: dict[str, Any]) -> None:
    backend = get_file_backend(backend_args=backend_args)
    assert backend.get(url(backend_args, 1)) == body(1)
    assert pickle.loads(pickle.dumps(backend)).get(url(backend_args, 2)) == body(2)
    assert read_in_children("spawn", backend_args, 1) == [[]]


def test_each_process_makes_its_own_and_pickling_drops_it(tmp_path: pathlib.Path) -> None:
    value = PerProcess(os.getpid)
    assert value() == value() == os.getpid()
    child = os.fork()
    if child == 0:
        (tmp_path / "child").write_text(str(value()))
        os._exit(0)
    os.waitpid(child, 0)
    assert (tmp_path / "child").read_text() == str(child)
    assert pickle.loads(pickle.dumps(value))._values == {}
