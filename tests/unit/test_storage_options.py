"""Addresses, and the options of a store."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_def.errors import ConfigError
from model_def.storage.address import Address, is_remote
from model_def.storage.client import Damaged, Interrupted
from model_def.storage.options import CacheOptions, Options, size_in_bytes
from model_def.storage.whole import Check, s3_check


@settings(max_examples=40)
@given(st.sampled_from(["s3", "gs"]), st.from_regex(r"[a-z0-9.-]{3,20}", fullmatch=True), st.text())
def test_an_address_is_its_url(scheme: str, bucket: str, key: str) -> None:
    address = Address(scheme=scheme, bucket=bucket, key=key)
    assert Address.parse(str(address)) == address
    assert is_remote(str(address))


def test_parts_of_an_address() -> None:
    address = Address.parse("s3://bucket/coco/train2017/0 1.jpg")
    assert (address.name, str(address.parent), str(address.parent.folder)) == (
        "0 1.jpg", "s3://bucket/coco/train2017", "s3://bucket/coco/train2017/",
    )  # fmt: skip
    assert Address.parse("gs://bucket") / "a/" / "/b" == Address.parse("gs://bucket/a/b")
    assert str(Address.parse("gs://bucket").folder) == str(Address.parse("gs://bucket/x").parent) == "gs://bucket/"


@pytest.mark.parametrize("url", ["", "x.jpg", "/a/b", "http://host/x", "s3://", "s3:///key", "s3:/bucket/x"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="s3://bucket/key"):
        Address.parse(url)


def test_backend_args_are_options_and_back() -> None:
    written = {"backend": "s3", "endpoint_url": "http://minio:9000", "anonymous": True, "cache": {"size": "1.5 GiB"}}
    options = Options.of(written)
    assert options.cache == CacheOptions(size=3 * 2**29)
    args = options.backend_args("s3")
    assert json.loads(json.dumps(args)) == args == {**written, "cache": {"size": 3 * 2**29}}
    assert Options.of(args) == options
    assert Options.of(None) == Options.of({"backend": "gcs"}) == Options()
    assert Options().backend_args("gcs") == {"backend": "gcs"}


@pytest.mark.parametrize(
    ("written", "size"),
    [("50 GB", 50 * 10**9), ("512MiB", 2**29), ("1k", 1000), (7, 7), ("1.5T", 15 * 10**11), ("GB", None), ("-1", None)],
)
def test_sizes(written: str | int, size: int | None) -> None:
    assert size_in_bytes(written) == size


def test_all_mistakes_are_told_at_once_and_no_password() -> None:
    wrong = {
        "endpont_url": "x",
        "endpoint_url": "https://user:secret@host",
        "threads": 0,
        "anonymous": "yes",
        "client": "fast",
        "cache": {"size": "big", "check": "always", "read_only": 1, "dirr": "/x"},
    }
    with pytest.raises(ConfigError) as caught:
        Options.of(wrong, where="e.yaml")
    text = str(caught.value)
    assert len(caught.value.problems) == 9
    for expected in (
        "did you mean endpoint_url?",
        "e.yaml.cache.size",
        "1 to 256",
        "default or obstore",
        "true or false",
    ):
        assert expected in text
    assert "secret" not in text


# --- what an answer of S3 promises

ADDRESS = Address.parse("s3://bucket/x")
MD5 = "5d41402abc4b2a76b9719d911017c592"  # of "hello"
LENGTH = {"content-length": "5"}


def whole(body: bytes, headers: dict[str, str], *, amazon: bool = True) -> None:
    check = s3_check(ADDRESS, {**LENGTH, **headers}, amazon=amazon)
    check.update(body[:2])
    check.update(body[2:])
    check.done()


@pytest.mark.parametrize(
    "headers",
    [
        {"etag": f'"{MD5}"'},
        {"etag": f'"{MD5}"', "x-amz-server-side-encryption": "AES256"},
        {"x-amz-checksum-crc32": "NhCmhg=="},
        {"x-amz-checksum-crc32c": "mnG7TA=="},
        {"x-amz-checksum-sha1": "qvTGHdzF6KLavt4PO0gs2a6pQ00="},
        {"x-amz-checksum-sha256": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="},
    ],
)
def test_another_byte_is_noticed(headers: dict[str, str]) -> None:
    whole(b"hello", headers)
    with pytest.raises(Damaged, match="s3://bucket/x"):
        whole(b"hellp", headers)


@pytest.mark.parametrize(
    ("headers", "amazon"),
    [
        ({"etag": f'"{MD5}-2"'}, True),  # uploaded in parts
        ({"etag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms"}, True),
        ({"etag": f'"{MD5}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"}, True),
        ({"etag": f'"{MD5}"', "x-amz-server-side-encryption": "AES256"}, False),  # MinIO's
        ({"x-amz-checksum-crc32": "AAAAAA==-3"}, True),  # of the parts' checksums
        ({}, True),
    ],
)
def test_what_is_no_digest_of_the_body_is_not_compared(headers: dict[str, str], amazon: bool) -> None:
    whole(b"hellp", headers, amazon=amazon)
    with pytest.raises(Interrupted, match="4 bytes came, 5 were promised"):
        whole(b"hell", headers, amazon=amazon)


def test_a_body_of_unknown_length() -> None:
    check = Check(ADDRESS, size=None, digests={})
    check.update(b"anything")
    check.done()
