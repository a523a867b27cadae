"""Objects of S3 come past boto3's own machinery: signed as it signs, and what it alone can get comes too."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from model_def.storage.address import Address
from model_def.storage.options import Options
from model_def.storage.s3 import S3Client
from tests.support.servers import FaultServer, fault_server, s3_environment

ODD = Address(scheme="s3", bucket="bkt", key="a/b c+ü%&=~.jpg")
BODY = bytes(range(256)) * 300


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    root = tmp_path_factory.mktemp("objects")
    (root / "bkt/a").mkdir(parents=True)
    (root / "bkt" / ODD.key).write_bytes(BODY)
    with fault_server(root) as running:
        yield running


@pytest.fixture
def client(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> S3Client:
    server.plan()
    for name, value in {**s3_environment(server.url), "AWS_SESSION_TOKEN": "token"}.items():
        monkeypatch.setenv(name, value)
    return S3Client(Options(region="eu-west-1"))


def test_requests_are_boto3s_own(client: S3Client, server: FaultServer, tmp_path: pathlib.Path) -> None:
    assert client.get(ODD).body == BODY
    signed: list[Any] = []
    client._boto().meta.events.register("before-sign.s3.GetObject", lambda request, **_: signed.append(request))
    assert client.get(ODD).body == BODY
    client.get_file(ODD, tmp_path / "file")  # with boto3
    direct, usual = signed
    assert direct.url == usual.url
    for name in ("x-amz-checksum-mode", "x-amz-content-sha256", "x-amz-security-token"):
        assert direct.headers[name] == usual.headers[name]
    for each in signed:
        told = each.headers["Authorization"]
        assert re.search(r"Credential=testing/\d+/eu-west-1/s3/aws4_request", told)
        assert re.search(r"SignedHeaders=\S*host;\S*x-amz-checksum-mode;\S*x-amz-security-token", told)
    assert server.log()["agents"]["Boto3"] == 3


def test_what_boto3_alone_can_get_is_asked_of_it_from_then_on(client: S3Client, server: FaultServer) -> None:
    client._direct()._buckets["bkt"] = f"{server.url}/elsewhere/"
    for _ in range(3):
        assert client.get(ODD).body == BODY
    assert server.log()["asked"] == {f"elsewhere/{ODD.key}": 1, f"bkt/{ODD.key}": 3}
