"""Many reads through a bad network and a disk cache that is too small, while readers are killed: no byte is wrong.

`make soak` reads a hundred thousand times.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pathlib
import random
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from model_def.storage import cache_room
from model_def.storage.address import Address
from model_def.storage.backend import GCSBackend, S3Backend
from model_def.storage.cache import Cache
from tests.support.made_store import MadeStore, bodies
from tests.support.servers import FaultServer, fault_server, s3_environment

READS = int(os.environ.get("READS", "400"))
READERS, THREADS, SIZE = 2, 8, 30_000
# Of all answers; `slow` takes `stall` seconds.
RATES = {"busy": 0.02, "error": 0.02, "reset": 0.02, "cut": 0.03, "flip": 0.03, "short": 0.03, "slow": 0.002}
BACKENDS = {"s3": S3Backend, "gs": GCSBackend}
FORK = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def made() -> dict[Address, bytes]:
    return bodies([Address(scheme="s3", bucket="coco", key=f"{number:06}.jpg") for number in range(200)], SIZE)


@pytest.fixture(scope="module")
def server(made, tmp_path_factory) -> Iterator[FaultServer]:
    root = tmp_path_factory.mktemp("objects")
    (root / "coco").mkdir()
    for address, body in made.items():
        (root / "coco" / address.key).write_bytes(body)
    with fault_server(root, latency=0.001, rates=RATES, stall=0.2) as running:
        yield running


@pytest.fixture(params=BACKENDS)
def backend(request, server, tmp_path, monkeypatch) -> Any:
    """Its cache has room for a third of the objects, and takes every newcomer."""
    monkeypatch.setattr(cache_room, "NEWCOMERS", 1e9)
    for name, value in {**s3_environment(server.url), "STORAGE_EMULATOR_HOST": server.url}.items():
        monkeypatch.setenv(name, value)
    return BACKENDS[request.param](cache={"dir": str(tmp_path / "cache"), "size": 200 * SIZE // 3})


def read(backend: Any, made: dict[Address, bytes], chance: random.Random) -> bool:
    """Read one object, some by name; whether it is right."""
    address = chance.choice(list(made))
    url = f"{backend.scheme}://{address.bucket}/{address.key}"
    if chance.random() < 0.1:
        with backend.get_local_path(url) as path:
            return pathlib.Path(path).read_bytes() == made[address]
    return bool(backend.get(url) == made[address])


def count_wrong(backend: Any, made: dict[Address, bytes], reads: int, seed: int, results: Any) -> None:
    """Read in threads, as a worker does; tell how many were read and how many of these were wrong."""

    def read_on(number: int) -> int:
        chance = random.Random(f"{seed} {number}")
        return sum(not read(backend, made, chance) for _ in range(reads // THREADS))

    with ThreadPoolExecutor(THREADS) as pool:
        wrong = sum(pool.map(read_on, range(THREADS)))
    results.put((reads // THREADS * THREADS, wrong))


@contextlib.contextmanager
def victim(backend: Any, made: dict[Address, bytes]) -> Iterator[Any]:
    """Starts a reader; ends it by force."""
    process = FORK.Process(target=count_wrong, args=(backend, made, 10**9, 0, FORK.SimpleQueue()), daemon=True)
    process.start()
    try:
        yield process
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()


def test_no_read_is_wrong(backend, made, server):
    results = FORK.SimpleQueue()
    share = READS // (READERS * len(BACKENDS)) // THREADS * THREADS
    readers = [FORK.Process(target=count_wrong, args=(backend, made, share, n, results)) for n in range(1, READERS + 1)]
    for reader in readers:
        reader.start()
    while any(reader.is_alive() for reader in readers):
        with victim(backend, made):
            readers[0].join(2)
    for reader in readers:
        assert reader.exitcode == 0
        assert results.get() == (share, 0)
    assert len(server.log()["faults"]) > 2, "there were faults"
    cache: Cache = backend.cache
    kept = [address for address in made if cache.has(Address(scheme=backend.scheme, bucket="coco", key=address.key))]
    assert kept
    with_scheme = {Address(scheme=backend.scheme, bucket="coco", key=a.key): body for a, body in made.items()}
    assert all(cache.read(address, MadeStore(with_scheme)) == body for address, body in with_scheme.items())
