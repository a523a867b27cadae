"""`client: obstore`: used in the workers of a DataLoader, and nowhere else."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from mmengine.fileio import get
from mmengine.fileio.backends import prefix_to_backends
from torch.utils.data import DataLoader, Dataset

from model_def.errors import ConfigError
from model_def.storage import obstore
from model_def.storage.address import Address
from model_def.storage.backend import GCSBackend, S3Backend
from model_def.storage.client import ObjectMissing
from tests.support.servers import FaultServer, fault_server
from tests.unit import test_storage_contract as contract

KEYS = [f"a/b c+ü%{index}.jpg" for index in range(24)]


def body(key: str) -> bytes:
    return hashlib.blake2b(key.encode()).digest() * 900


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    root = tmp_path_factory.mktemp("objects")
    (root / "bkt/a").mkdir(parents=True)
    for key in KEYS:
        (root / "bkt" / key).write_bytes(body(key))
    with fault_server(root) as running:
        yield running


@pytest.fixture
def backend_args(server: FaultServer, faulty_backend_args: dict[str, Any]) -> dict[str, Any]:
    server.plan()
    return {**faulty_backend_args, "client": "obstore"}


class Objects(Dataset[bytes]):
    """Each object's bytes."""

    def __init__(self, backend_args: dict[str, Any], keys: list[str] = KEYS) -> None:
        self.root = f"{'s3' if backend_args['backend'] == 's3' else 'gs'}://bkt/"
        self.backend_args, self.keys = backend_args, keys

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> bytes:
        return get(self.root + self.keys[index], self.backend_args)


def read(data: Objects, workers: int = 2) -> list[bytes]:
    words = {"timeout": 60, "multiprocessing_context": "fork"} if workers else {}
    return list(DataLoader(data, batch_size=None, num_workers=workers, **words))


def test_workers_read_with_it_and_their_parent_does_not(backend_args: dict[str, Any], server: FaultServer) -> None:
    data = Objects(backend_args)
    assert data[0] == body(KEYS[0])
    for _ in range(2):  # the second time, workers are forked of a parent whose workers used it
        server.plan()
        assert read(data) == [body(key) for key in KEYS]
        assert server.log()["agents"] == {"object_store": len(KEYS), "Python-urllib": 1}
    assert read(data, workers=0) == [body(key) for key in KEYS]
    assert server.log()["agents"]["object_store"] == len(KEYS)
    assert "obstore" not in sys.modules


@pytest.mark.parametrize("note", ["", "right"])
def test_damaged_bodies_are_noticed_in_workers(backend_args: dict[str, Any], server: FaultServer, note: str) -> None:
    kinds = ["flip", "cut", "busy", "reset", "short"] * 4
    server.plan(keys={f"bkt/{key}": [kind] for key, kind in zip(KEYS, kinds, strict=False)}, note=note)
    assert read(Objects(backend_args)) == [body(key) for key in KEYS]
    assert server.log()["faults"]["flip"] == 4


def test_what_our_upload_has_noted_is_compared(
    backend_args: dict[str, Any], server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(obstore, "md5_of", None)  # a worker that wants one fails
    server.plan(note="right")
    assert read(Objects(backend_args)) == [body(key) for key in KEYS]
    assert server.log()["agents"] == {"object_store": len(KEYS), "Python-urllib": 1}


def test_the_note_of_a_body_that_was_written_over_does_no_harm(
    backend_args: dict[str, Any], server: FaultServer
) -> None:
    """Others may write over an object and keep its metadata: the usual client reads it, and knows better."""
    server.plan(note="old")
    assert read(Objects(backend_args)) == [body(key) for key in KEYS]
    agents = server.log()["agents"]
    assert agents.pop("object_store") == len(KEYS)
    assert sum(agents.values()) == len(KEYS) + 1


def test_what_is_missing_is_told_as_ever(backend_args: dict[str, Any]) -> None:
    with pytest.raises(ObjectMissing, match="no such object"):
        read(Objects(backend_args, ["none"]), workers=1)


# What reads; all else is the usual client's.
CONTRACT = [
    contract.test_reading_and_writing,
    contract.test_what_is_written_over_is_read_anew,
    contract.test_nothing_there,
    contract.test_a_local_path,
]


class Contract(Dataset[str]):
    """Runs the tests of mmengine's storage contract, each below a folder of its own."""

    def __init__(self, bucket: Address, folder: pathlib.Path) -> None:
        self.bucket, self.folder = bucket, folder

    def __len__(self) -> int:
        return len(CONTRACT)

    def __getitem__(self, index: int) -> str:
        test, folder = CONTRACT[index], self.folder / str(index)
        folder.mkdir()
        words = {"tmp_path": folder} if "tmp_path" in inspect.signature(test).parameters else {}
        test(root=str(self.bucket / f"{index}/root"), **words)
        return str(test.__name__)


@pytest.mark.parametrize("store", ["s3", "gcs"])
def test_the_contract_holds_in_a_worker_too(
    store: str, request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = request.getfixturevalue(f"{store}_bucket")
    words = {"client": "obstore", "cache": {"dir": str(tmp_path / "cache")}}
    made = {bucket.scheme: functools.partial({"s3": S3Backend, "gcs": GCSBackend}[store], **words)}
    monkeypatch.setattr("mmengine.fileio.io.prefix_to_backends", {**prefix_to_backends, **made})
    monkeypatch.setattr("mmengine.fileio.io.backend_instances", {})
    loader = DataLoader(Contract(bucket, tmp_path), batch_size=None, num_workers=1, timeout=60)
    assert list(loader) == [test.__name__ for test in CONTRACT]


def test_without_the_package_it_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install \"determined-mmdet\[obstore\]\""):
        S3Backend(client="obstore")
