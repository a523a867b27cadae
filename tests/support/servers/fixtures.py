"""Buckets of real servers, for tests: `s3_bucket` and `gcs_bucket`, in the default environment of the libraries."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from model_def.storage.address import Address
from tests.support.servers import Server, gcs_server, s3_server


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
    _set(s3, monkeypatch)
    return s3_buckets()


@pytest.fixture
def gcs_bucket(gcs: Server, gcs_buckets: Callable[..., Address], monkeypatch: pytest.MonkeyPatch) -> Address:
    """An empty bucket; the environment leads to its server."""
    _set(gcs, monkeypatch)
    return gcs_buckets()


def _set(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
