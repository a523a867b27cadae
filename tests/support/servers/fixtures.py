"""Buckets of real servers, for tests: `s3_bucket` and `gcs_bucket`, in the default environment of the libraries."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from model_def.storage.address import Address
from model_def.storage.register import register
from tests.support.servers import FaultServer, Server, gcs_server, s3_environment, s3_server


@pytest.fixture(scope="session")
def s3() -> Iterator[Server]:
    """A server of S3, for all tests of this process."""
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def gcs() -> Iterator[Server]:
    """A server of GCS, for all tests of this process."""
    with gcs_server() as server:
        yield server


@pytest.fixture(scope="session")
def s3_buckets(s3: Server) -> Callable[..., Address]:
    """Makes one empty bucket after the other."""
    import boto3

    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    client = boto3.session.Session().client("s3", endpoint_url=s3.url, **keys)

    def new(name: str = "") -> Address:
        address = Address(scheme="s3", bucket=name or f"bucket-{uuid.uuid4().hex[:12]}")
        client.create_bucket(Bucket=address.bucket)
        return address

    return new


@pytest.fixture(scope="session")
def gcs_buckets(gcs: Server) -> Callable[..., Address]:
    """Makes one empty bucket after the other."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    client = storage.Client("tests", AnonymousCredentials(), client_options={"api_endpoint": gcs.url})

    def new(name: str = "") -> Address:
        address = Address(scheme="gs", bucket=name or f"bucket-{uuid.uuid4().hex[:12]}")
        client.create_bucket(address.bucket)
        return address

    return new


@pytest.fixture
def s3_bucket(s3: Server, s3_buckets: Callable[..., Address], monkeypatch: pytest.MonkeyPatch) -> Address:
    """An empty bucket; the environment leads to its server."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    lead_to(s3.environment, monkeypatch)
    return s3_buckets()


@pytest.fixture
def gcs_bucket(gcs: Server, gcs_buckets: Callable[..., Address], monkeypatch: pytest.MonkeyPatch) -> Address:
    """An empty bucket; the environment leads to its server."""
    lead_to(gcs.environment, monkeypatch)
    return gcs_buckets()


def lead_to(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the libraries find a server, and mmengine make its backends anew."""
    register()
    monkeypatch.setattr("mmengine.fileio.io.backend_instances", {})
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["s3", "gcs"])
def faulty_backend_args(
    request: pytest.FixtureRequest, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """What leads to the module's `server`, in each of its two languages; without a cache."""
    lead_to({**s3_environment(server.url), "STORAGE_EMULATOR_HOST": server.url}, monkeypatch)
    return {"backend": request.param, "cache": {"enabled": False}}
