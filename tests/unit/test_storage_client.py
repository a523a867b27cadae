"""The clients of S3 and GCS, against real servers."""

from __future__ import annotations

import os
import pathlib
import pickle
import traceback

import pytest

from model_def.storage.address import Address
from model_def.storage.client import BucketMissing, Client, ObjectMissing, Refused
from model_def.storage.gcs import GCSClient
from model_def.storage.options import Options
from model_def.storage.s3 import S3Client


@pytest.fixture(params=["s3", "gcs"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Client, Address]:
    """A client, and an empty bucket."""
    bucket = request.getfixturevalue(f"{request.param}_bucket")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    return {"s3": S3Client, "gcs": GCSClient}[request.param](Options()), bucket


def test_objects_come_back_as_they_were_put(store: tuple[Client, Address], tmp_path: pathlib.Path) -> None:
    client, bucket = store
    body = bytes(range(256)) * 700
    address = bucket / "a/b c+ü%.bin"
    client.put(address, body)
    blob, stat = client.get(address), client.head(address)
    assert blob.body == body
    assert (stat.address, stat.size, stat.version) == (address, len(body), blob.version)
    assert blob.version
    assert client.get_file(address, tmp_path / "file") == blob.version
    assert (tmp_path / "file").read_bytes() == body
    client.put_file(address, tmp_path / "file")
    client.copy(address, bucket / "copy")
    assert client.get(bucket / "copy").body == body
    client.put(address, b"")
    assert client.get(address).body == b""
    assert client.get(address).version != blob.version


def metadata(client: Client, address: Address) -> dict[str, str]:
    """What an object says of itself."""
    if isinstance(client, S3Client):
        return client._boto().head_object(Bucket=address.bucket, Key=address.key)["Metadata"]
    blob = client._blob(address)
    blob.reload()
    return blob.metadata


@pytest.mark.parametrize("size", [9, 10 << 20])
def test_an_upload_notes_the_checksum_of_its_body(
    size: int, store: tuple[Client, Address], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_def.storage.s3.PART", 5 << 20)
    client, bucket = store
    body = (b"123456789" * size)[:size]
    note = {9: "4waSgw==", 10 << 20: "Eob/xQ=="}[size]  # of nine digits, the algorithm's check value: e3069283
    client.put(bucket / "body", body)
    assert metadata(client, bucket / "body") == {"mmdet-crc32c": note}
    (tmp_path / "file").write_bytes(body)
    client.put_file(bucket / "file", tmp_path / "file")
    client.copy(bucket / "file", bucket / "copy")
    for name in ("file", "copy"):
        assert metadata(client, bucket / name) == {"mmdet-crc32c": note}


@pytest.mark.parametrize("page", [1000, 2])
def test_listing_by_prefix_by_folder_and_in_pages(
    page: int, store: tuple[Client, Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_def.storage.s3.PAGE", page)
    monkeypatch.setattr("model_def.storage.gcs.PAGE", page)
    client, bucket = store
    for key in ("t/1.jpg", "t/2.jpg", "t/deep/3.jpg", "top.json"):
        client.put(bucket / key, key.encode())

    def keys(prefix: str, **words: object) -> list[str]:
        return [stat.address.key for stat in client.list(Address.parse(f"{bucket}{prefix}"), **words)]

    assert keys("") == ["t/1.jpg", "t/2.jpg", "t/deep/3.jpg", "top.json"]
    assert keys("t") == ["t/1.jpg", "t/2.jpg", "t/deep/3.jpg", "top.json"]
    assert keys("t/", deep=False) == ["t/1.jpg", "t/2.jpg", "t/deep/"]
    for limit in range(1, 6):
        assert keys("", limit=limit) == ["t/1.jpg", "t/2.jpg", "t/deep/3.jpg", "top.json"][:limit]
    assert keys("none/") == []
    assert [stat.size for stat in client.list(bucket, deep=False)] == [0, 8]


def test_removing_twice_is_removing(store: tuple[Client, Address]) -> None:
    client, bucket = store
    client.put(bucket / "x", b"x")
    client.remove(bucket / "x")
    client.remove(bucket / "x")
    with pytest.raises(ObjectMissing, match=r"no such object .*x$"):
        client.get(bucket / "x")
    with pytest.raises(FileNotFoundError):
        client.head(bucket / "x")


def test_a_missing_bucket_is_told_apart(store: tuple[Client, Address]) -> None:
    client, bucket = store
    with pytest.raises(BucketMissing):
        list(client.list(Address(scheme=bucket.scheme, bucket="no-such-bucket")))


def test_names_and_endpoints_that_can_not_be(store: tuple[Client, Address], monkeypatch: pytest.MonkeyPatch) -> None:
    client, bucket = store
    with pytest.raises((Refused, BucketMissing), match="-no_bucket"):
        client.get(Address(scheme=bucket.scheme, bucket="-no_bucket", key="x"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "minio:9000")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "emulator:4443")
    with pytest.raises(Refused) as caught:
        type(client)(Options()).get(bucket / "x")
    assert "http://host:port" in caught.value.next


def test_a_large_file_goes_up_in_parts(
    store: tuple[Client, Address], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_def.storage.s3.PART", 5 << 20)  # S3 takes no smaller ones; GCS begins behind 8 MiB
    (client, bucket), body = store, os.urandom((9 << 20) + 100)
    (tmp_path / "large").write_bytes(body)
    client.put_file(bucket / "large", tmp_path / "large")
    assert client.head(bucket / "large").version.endswith("-2") == (bucket.scheme == "s3")
    assert client.get(bucket / "large").body == body
    client.get_file(bucket / "large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == body


def test_no_secret_leaves_a_client(store: tuple[Client, Address]) -> None:
    client, bucket = store
    client.put(bucket / "x", b"")
    with pytest.raises(ObjectMissing) as caught:
        client.get(bucket / "none")
    told = "".join(traceback.format_exception(caught.value)) + repr(client) + repr(vars(client))
    assert os.environ["AWS_SECRET_ACCESS_KEY"].encode() not in pickle.dumps(client) + told.encode()
