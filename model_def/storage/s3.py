"""Amazon S3, and servers that speak as it does (MinIO, Ceph, R2), through boto3."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model_def.storage.address import Address
from model_def.storage.client import Blob, Interrupted, Stat
from model_def.storage.endpoint import endpoint, host
from model_def.storage.options import Options
from model_def.storage.patience import Patience
from model_def.storage.per_process import PerProcess
from model_def.storage.s3_direct import Direct
from model_def.storage.s3_errors import told
from model_def.storage.whole import PIECE, Check, noted, noted_file, s3_check

PART = 64 << 20  # bytes: larger files are uploaded in parts
PAGE = 1000
SPARE = 4  # connections for who reads beside the threads


class S3Client:
    """A `Client` of S3. Credentials and region come from boto3's own chain."""

    def __init__(self, options: Options, *, patience: Patience | None = None) -> None:
        self._options = options
        self._patience = patience or Patience()
        self._boto = PerProcess(self._make)
        self._direct = PerProcess(self._make_direct)

    def get(self, address: Address) -> Blob:
        return self._patience(lambda: self._get(address))

    def get_file(self, address: Address, path: Path) -> str:
        return self._patience(lambda: self._get_file(address, path))

    def head(self, address: Address) -> Stat:
        found = self._ask("head_object", address, Bucket=address.bucket, Key=address.key)
        return Stat(address=address, size=found["ContentLength"], version=_version(found.get("ETag")))

    def list(self, address: Address, *, deep: bool = True, limit: int | None = None) -> Iterator[Stat]:
        words = {"Bucket": address.bucket, "Prefix": address.key, **({} if deep else {"Delimiter": "/"})}
        while True:
            page = self._ask("list_objects_v2", address, MaxKeys=min(limit or PAGE, PAGE), **words)
            for stat in _stats(page, address):
                yield stat
                limit = None if limit is None else limit - 1
                if limit == 0:
                    return
            if not page.get("IsTruncated"):
                return
            words["ContinuationToken"] = page["NextContinuationToken"]

    def put(self, address: Address, body: bytes) -> None:
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        words = {"Body": body, "ContentMD5": md5, "Metadata": noted([body])}
        self._ask("put_object", address, Bucket=address.bucket, Key=address.key, **words)

    def put_file(self, address: Address, path: Path) -> None:
        if path.stat().st_size <= PART:
            self.put(address, path.read_bytes())
        else:
            self._patience(lambda: self._put_parts(address, path))

    def remove(self, address: Address) -> None:
        self._ask("delete_object", address, Bucket=address.bucket, Key=address.key)

    def copy(self, source: Address, target: Address) -> None:
        where = {"Bucket": source.bucket, "Key": source.key}
        self._patience(lambda: self._asked("copy", source, where, target.bucket, target.key))

    def _get(self, address: Address) -> Blob:
        with self._translated(address):
            found = self._direct().open(address)
        if found is not None:
            return self._whole(address, found.raw, found.headers)
        blob = self._whole(address, *self._opened(address))
        self._direct().leave(address)
        return blob

    def _whole(self, address: Address, opened: Any, headers: Mapping[str, str]) -> Blob:
        check = self._check(address, headers)
        with self._translated(address, answered=True), contextlib.closing(opened) as stream:
            body = stream.read()
        check.update(body)
        check.done()
        return Blob(body=body, version=_version(headers.get("etag")))

    def _get_file(self, address: Address, path: Path) -> str:
        opened, headers = self._opened(address)
        check = self._check(address, headers)
        with path.open("wb") as file, contextlib.closing(opened) as stream:
            while piece := self._piece(address, stream):
                check.update(piece)
                file.write(piece)
        check.done()
        return _version(headers.get("etag"))

    def _opened(self, address: Address) -> tuple[Any, Mapping[str, str]]:
        """The body, unread, and the headers that came with it."""
        answer = self._asked("get_object", address, Bucket=address.bucket, Key=address.key, ChecksumMode="ENABLED")
        return answer["Body"], answer["ResponseMetadata"]["HTTPHeaders"]

    def _check(self, address: Address, headers: Mapping[str, str]) -> Check:
        return s3_check(address, headers, amazon="amazonaws" in self._boto().meta.endpoint_url)

    def _piece(self, address: Address, stream: Any) -> bytes:
        with self._translated(address, answered=True):  # and not the writing: a full disk is no mistake of the server
            return bytes(stream.read(PIECE))

    def _put_parts(self, address: Address, path: Path) -> None:
        from boto3.s3.transfer import TransferConfig

        config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4)
        words = {"Config": config, "ExtraArgs": {"Metadata": noted_file(path)}}
        self._asked("upload_file", address, str(path), address.bucket, address.key, **words)
        size, sent = self.head(address).size, path.stat().st_size
        if size != sent:
            raise Interrupted(f"{size} bytes arrived, {sent} were sent: {address}", url=str(address))

    def _ask(self, method: str, address: Address, **words: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._patience(lambda: self._asked(method, address, **words))
        return answer

    def _asked(self, method: str, address: Address, *values: Any, **words: Any) -> Any:
        with self._translated(address):
            return getattr(self._boto(), method)(*values, **words)

    @contextlib.contextmanager
    def _translated(self, address: Address, *, answered: bool = False) -> Iterator[None]:
        """Errors of boto3 and of the network below it become a `StorageError`."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except (BotoCoreError, ClientError, HTTPError, ConnectionError, TimeoutError, ValueError) as error:
            server = host(endpoint("s3", self._options))
            raise told(error, address, server=server, answered=answered) from error

    def _make_direct(self) -> Direct:
        return Direct(self._boto())

    def _make(self) -> Any:
        import boto3.session
        from botocore import UNSIGNED
        from botocore.config import Config

        options = self._options
        config = Config(
            connect_timeout=self._patience.timeouts[0],
            read_timeout=self._patience.timeouts[1],
            max_pool_connections=options.threads + SPARE,
            retries={"mode": "standard", "total_max_attempts": 1},  # `Patience` retries
            request_checksum_calculation="when_required",  # not every server takes a checksum behind the body
            **({"signature_version": UNSIGNED} if options.anonymous else {}),
        )
        session = boto3.session.Session(region_name=options.region or None)
        return session.client("s3", endpoint_url=options.endpoint_url or None, config=config)


def _version(etag: Any) -> str:
    return str(etag or "").strip('"')


def _stats(page: dict[str, Any], address: Address) -> list[Stat]:
    def at(key: str) -> Address:
        return Address(scheme=address.scheme, bucket=address.bucket, key=key)

    objects = [
        Stat(address=at(found["Key"]), size=found["Size"], version=_version(found.get("ETag")))
        for found in page.get("Contents", ())
    ]
    folders = [Stat(address=at(found["Prefix"]), size=0, version="") for found in page.get("CommonPrefixes", ())]
    return sorted(objects + folders, key=lambda stat: stat.address.key)
