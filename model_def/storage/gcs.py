"""Google Cloud Storage, through google-cloud-storage. Its library checks bodies, by the crc32c that answers carry."""

from __future__ import annotations

import base64
import contextlib
import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from model_def.storage.address import Address
from model_def.storage.client import Blob, BucketMissing, ObjectMissing, Stat
from model_def.storage.endpoint import endpoint, host
from model_def.storage.gcs_errors import told
from model_def.storage.options import Options
from model_def.storage.patience import Patience
from model_def.storage.per_process import PerProcess
from model_def.storage.whole import noted, noted_file

T = TypeVar("T")

SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
PAGE = 1000
SPARE = 4  # connections for who reads beside the threads


class GCSClient:
    """A `Client` of GCS. Credentials come from Google's own chain (ADC); STORAGE_EMULATOR_HOST is an endpoint too."""

    def __init__(self, options: Options, *, patience: Patience | None = None) -> None:
        self._options = options
        self._patience = patience or Patience()
        self._google = PerProcess(self._make)
        self._words: dict[str, Any] = {"retry": None, "timeout": self._patience.timeouts}  # `Patience` retries

    def get(self, address: Address) -> Blob:
        def get() -> Blob:
            blob = self._blob(address)
            body = blob.download_as_bytes(**self._words)
            return Blob(body=body, version=self._told_version(address, blob))

        return self._ask(get, address)

    def get_file(self, address: Address, path: Path) -> str:
        def get() -> str:
            blob = self._blob(address)
            with path.open("wb") as file:
                blob.download_to_file(file, **self._words)
            return self._told_version(address, blob)

        return self._ask(get, address)

    def head(self, address: Address) -> Stat:
        def head() -> Stat:
            blob = self._blob(address)
            blob.reload(**self._words)
            return _stat(address, blob)

        return self._ask(head, address)

    def list(self, address: Address, *, deep: bool = True, limit: int | None = None) -> Iterator[Stat]:
        left = limit
        token: str | None = ""
        while token is not None:
            words = {"page_token": token or None, "page_size": min(left or PAGE, PAGE), **self._words}
            page, token = self._listed(address, {"prefix": address.key, "delimiter": None if deep else "/", **words})
            yield from page[:left]
            left = None if left is None else left - len(page)
            if left is not None and left <= 0:
                return

    def put(self, address: Address, body: bytes) -> None:
        words = {**self._words, "checksum": "crc32c"}
        self._upload(address, noted([body]), lambda blob: blob.upload_from_string(body, **words))

    def put_file(self, address: Address, path: Path) -> None:
        words = {**self._words, "checksum": "crc32c"}
        self._upload(address, noted_file(path), lambda blob: blob.upload_from_filename(str(path), **words))

    def _upload(self, address: Address, metadata: dict[str, str], send: Callable[[Any], None]) -> None:
        def upload() -> None:
            blob = self._blob(address)
            blob.metadata = metadata
            send(blob)

        self._ask(upload, address)

    def remove(self, address: Address) -> None:
        with contextlib.suppress(ObjectMissing):
            self._ask(lambda: self._blob(address).delete(**self._words), address)

    def copy(self, source: Address, target: Address) -> None:
        def copy() -> None:
            token, _, _ = self._blob(target).rewrite(self._blob(source), **self._words)
            while token:  # a large object, in steps
                token, _, _ = self._blob(target).rewrite(self._blob(source), token=token, **self._words)

        self._ask(copy, source)

    def _listed(self, address: Address, words: dict[str, Any]) -> tuple[tuple[Stat, ...], str | None]:
        try:
            return self._ask(lambda: _page(self._google(), address, words), address)
        except ObjectMissing as error:
            raise BucketMissing.of(address, "HTTP 404") from error

    def _told_version(self, address: Address, downloaded: Any) -> str:
        """Google tells it with each download; the emulator must be asked."""
        return _version(downloaded) or self.head(address).version

    def _blob(self, address: Address) -> Any:
        return self._google().bucket(address.bucket).blob(address.key)

    def _ask(self, action: Callable[[], T], address: Address) -> T:
        def asked() -> T:
            with self._translated(address):
                return action()

        return self._patience(asked)

    @contextlib.contextmanager
    def _translated(self, address: Address) -> Iterator[None]:
        """Errors of google's libraries and of the network below them become a `StorageError`."""
        _import_google()
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        known = (GoogleAPIError, GoogleAuthError, DataCorruption, InvalidResponse, RequestException, HTTPError)
        try:
            yield
        except (*known, ConnectionError, TimeoutError, ValueError) as error:
            raise told(error, address, server=host(endpoint("gs", self._options))) from error

    def _make(self) -> Any:
        _import_google()
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage
        from requests.adapters import HTTPAdapter

        options = self._options
        words: dict[str, Any] = {}
        if options.endpoint_url:
            words["client_options"] = {"api_endpoint": options.endpoint_url}
        if options.anonymous:
            words["credentials"] = AnonymousCredentials()  # type: ignore[no-untyped-call]
        client = storage.Client(project=None, **words)
        adapter = HTTPAdapter(pool_connections=2, pool_maxsize=options.threads + SPARE)
        client._http.mount("https://", adapter)
        client._http.mount("http://", adapter)
        client._bucket_metadata_cache = None  # it asks for the bucket beside each object, in a thread, for tracing
        return client


def _import_google() -> None:
    """Import google's libraries without their warning of how long they will support this Python."""
    if "google.cloud.storage" not in sys.modules:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            importlib.import_module("google.cloud.storage")


def _page(client: Any, address: Address, words: dict[str, Any]) -> tuple[tuple[Stat, ...], str | None]:
    """A page of a listing in the order of its keys, and the token of the next page."""
    found = client.list_blobs(address.bucket, **words)
    blobs = [_stat(_at(address, blob.name), blob) for blob in next(found.pages, ())]
    folders = [Stat(address=_at(address, prefix), size=0, version="") for prefix in found.prefixes]
    return tuple(sorted(blobs + folders, key=lambda stat: stat.address.key)), found.next_page_token or None


def _at(address: Address, key: str) -> Address:
    return Address(scheme=address.scheme, bucket=address.bucket, key=key)


def _stat(address: Address, blob: Any) -> Stat:
    md5 = base64.b64decode(blob.md5_hash or "").hex()
    return Stat(address=address, size=int(blob.size or 0), version=_version(blob), md5=md5)


def _version(blob: Any) -> str:
    return str(blob.generation or blob.etag or "")
