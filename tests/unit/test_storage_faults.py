"""What the clients do with servers and networks that make mistakes: a server of our own makes them."""

from __future__ import annotations

import functools
import pathlib
import pickle
import random
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from torch._utils import ExceptionWrapper

from model_def.storage.address import Address
from model_def.storage.client import (
    AccessDenied,
    Client,
    ClockSkew,
    Damaged,
    Interrupted,
    NoCredentials,
    StorageError,
    Unreachable,
)
from model_def.storage.gcs import GCSClient
from model_def.storage.options import Options
from model_def.storage.patience import Patience
from model_def.storage.s3 import S3Client
from tests.support.servers import FaultServer, fault_server, free_port, s3_environment

BODY = bytes(range(256)) * 300
PASSING = ["busy", "error", "reset", "cut", "flip", "short"]
Make = Callable[..., Client]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    root = tmp_path_factory.mktemp("objects")
    (root / "bkt").mkdir()
    for kind in [*PASSING, "slow", "stall", "denied", "skewed", "x"]:
        (root / "bkt" / kind).write_bytes(BODY)
    with fault_server(root) as running:
        yield running


@pytest.fixture(params=["s3", "gs"])
def scheme(request: pytest.FixtureRequest, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in {**s3_environment(server.url), "STORAGE_EMULATOR_HOST": server.url}.items():
        monkeypatch.setenv(name, value)
    return str(request.param)


@functools.cache
def shared_client(scheme: str, url: str) -> Client:
    """One client for most tests: making one takes a while."""
    del url
    return client(scheme)


def client(scheme: str, **words: float) -> Client:
    patience = Patience(**{"pause": 0.002, "read": 1.0, **words})
    return (S3Client if scheme == "s3" else GCSClient)(Options(), patience=patience)


def at(scheme: str, key: str) -> Address:
    return Address(scheme=scheme, bucket="bkt", key=key)


def test_every_fault_that_passes_is_survived(scheme: str, server: FaultServer, tmp_path: pathlib.Path) -> None:
    server.plan(keys={f"bkt/{kind}": [kind, kind, "ok", kind] for kind in PASSING})
    store = shared_client(scheme, server.url)
    for kind in PASSING:
        assert store.get(at(scheme, kind)).body == BODY, kind
        assert store.get_file(at(scheme, kind), tmp_path / kind), kind
        assert (tmp_path / kind).read_bytes() == BODY, kind
    assert set(server.log()["asked"].values()) == {5}


def test_slow_bodies_come_and_stalled_ones_are_asked_for_again(scheme: str, server: FaultServer) -> None:
    server.plan(keys={"bkt/slow": ["slow"], "bkt/stall": ["stall"]}, stall=2.5)
    store = shared_client(scheme, server.url)
    assert store.get(at(scheme, "slow")).body == BODY  # ten pieces, a quarter of a second apart; one is too long
    assert store.get(at(scheme, "stall")).body == BODY
    assert server.log()["asked"] == {"bkt/slow": 1, "bkt/stall": 2}


@pytest.mark.parametrize("kind", ["flip", "short"])
def test_without_checksums_the_etag_of_s3_is_compared(
    server: FaultServer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_environment(server.url).items():
        monkeypatch.setenv(name, value)
    server.plan(keys={f"bkt/{kind}": [kind]}, checksums=False)
    assert shared_client("s3", server.url).get(at("s3", kind)).body == BODY
    assert server.log()["asked"] == {f"bkt/{kind}": 2}


@pytest.mark.parametrize(("kind", "expected"), [("cut", Interrupted), ("flip", Damaged), ("busy", Interrupted)])
def test_what_never_passes_is_told_with_object_attempts_and_cause(
    scheme: str, server: FaultServer, kind: str, expected: type[StorageError]
) -> None:
    server.plan(always={"bkt/x": kind})
    with pytest.raises(expected) as caught:
        shared_client(scheme, server.url).get(at(scheme, "x"))
    text = str(caught.value)
    assert f"{scheme}://bkt/x" in text
    assert "tried 10 times" in text
    assert "(" in text
    assert server.log()["asked"] == {"bkt/x": 10}
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.url) == (expected, text, f"{scheme}://bkt/x")
    with pytest.raises(expected, match="tried 10 times"):  # as it leaves a DataLoader's worker
        ExceptionWrapper((expected, caught.value, caught.value.__traceback__), "in a worker").reraise()


@pytest.mark.parametrize(("kind", "expected"), [("denied", AccessDenied), ("skewed", (ClockSkew, AccessDenied))])
def test_what_asking_again_can_not_mend_is_told_at_once(
    scheme: str, server: FaultServer, kind: str, expected: type[StorageError]
) -> None:
    server.plan(always={f"bkt/{kind}": kind})
    with pytest.raises(expected, match=f"{scheme}://bkt/{kind}"):
        shared_client(scheme, server.url).get(at(scheme, kind))
    assert server.log()["asked"] == {f"bkt/{kind}": 2 if scheme == "s3" else 1}  # boto3 itself knows what is wrong


def test_trying_again_leaves_the_random_numbers_alone(scheme: str, server: FaultServer) -> None:
    server.plan(keys={"bkt/x": ["busy", "reset", "cut", "flip"]})
    random.seed(5)
    expected = random.getstate()
    assert shared_client(scheme, server.url).get(at(scheme, "x")).body == BODY
    assert random.getstate() == expected


def test_an_endpoint_that_is_down_is_told_within_seconds(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for name in ("AWS_ENDPOINT_URL", "STORAGE_EMULATOR_HOST"):
        monkeypatch.setenv(name, url)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=rf"nobody answers .* from {url[7:]}\): {scheme}://bkt/x \(tried 3 times"):
        client(scheme, pause=0.1).get(at(scheme, "x"))
    assert time.monotonic() - began < 5


def test_one_that_accepts_and_says_nothing_is_told_soon(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        with pytest.raises(Unreachable, match="tried 3 times"):
            client(scheme, read=0.1).get(at(scheme, "x"))


def test_a_server_that_has_answered_before_is_given_time(scheme: str, server: FaultServer) -> None:
    server.plan(keys={"bkt/x": ["ok"] + ["reset"] * 9})
    store = pickle.loads(pickle.dumps(_reached(client(scheme), scheme)))  # as a spawned worker gets it
    assert store.get(at(scheme, "x")).body == BODY
    assert server.log()["asked"] == {"bkt/x": 11}


def _reached(store: Client, scheme: str) -> Client:
    assert store.get(at(scheme, "x")).body == BODY
    return store


def test_without_credentials_it_is_said_so(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    with pytest.raises(NoCredentials, match=rf"no usable credentials .*{scheme}://bkt/x"):
        client(scheme).get(at(scheme, "x"))


def test_anonymous_requests_carry_no_credentials(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.plan()
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    options = Options(endpoint_url=server.url, anonymous=True)
    for store, scheme in ((S3Client(options), "s3"), (GCSClient(options), "gs")):
        assert store.get(at(scheme, "x")).body == BODY
