"""Brings a weights file into the user's cache: whole, checked, once."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from model_def.errors import WeightsError
from model_def.storage.address import Address, is_remote
from model_def.storage.cache import user_cache
from model_def.storage.choose import client_for
from model_def.storage.client import StorageError
from model_def.storage.options import Options
from model_def.storage.problems import problem

SCHEMES = ("http", "https", "s3", "gs")
HASH = re.compile(r"-([0-9a-f]{8,64})\.pth$")
ATTEMPTS = 3
PAUSE = 1.0  # seconds before the second attempt; twice that before the third
TIMEOUT = 30.0  # seconds without a byte


def is_url(name: str) -> bool:
    """Whether `name` is one that `fetch` can bring."""
    return name.partition("://")[0] in SCHEMES


def cache_dir() -> Path:
    """Where weights are kept."""
    return user_cache("weights")


def fetch(url: str, *, where: str, options: Options | None = None) -> Path:
    """The local path of the file at `url`, downloaded if it isn't in the cache; an interrupted download continues.

    A hash in the file's name (`-31f1eb1d.pth`, the beginning of its SHA-256) is checked. `options` are of the store,
    for an `s3://` or `gs://` URL.

    Raises:
        WeightsError: it can't be reached, isn't there, or has another hash than its name says.
    """
    name = url.rsplit("/", 1)[-1].partition("?")[0]
    server = options.endpoint_url if options else ""
    folder = cache_dir() / hashlib.sha256(f"{server}{url}".encode()).hexdigest()[:12]
    kept = folder / name
    if kept.is_file():
        return kept
    with _locked(folder):
        if not kept.is_file():
            part = folder / f"{name}.part"
            if is_remote(url):
                _from_store(url, part, where, options or Options())
            else:
                _download(url, part, where)
            _check_hash(part, name, url, where)
            os.replace(part, kept)
    return kept


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one process of this machine at a time fetches into `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        what = f"the cache can't be written ({error.strerror})"
        next_step = "export XDG_CACHE_HOME=/a/directory/with/room"
        raise WeightsError(what=what, value=str(folder), where="XDG_CACHE_HOME", next=next_step) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(url: str, part: Path, where: str) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _from_http(url, part)
            return
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 416:  # asking again doesn't help
                raise _unreachable(url, where, f"HTTP {error.code} {error.reason}") from error
            last: Exception = error
            part.unlink(missing_ok=True)
        except (OSError, http.client.HTTPException) as error:
            last = error
        if attempt < ATTEMPTS:
            time.sleep(PAUSE * attempt)
    raise _unreachable(url, where, str(last)) from last


def _from_http(url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        more = response.status == http.HTTPStatus.PARTIAL_CONTENT
        expected = response.headers.get("Content-Length")
        with part.open("ab" if more else "wb") as file:
            before = file.tell()
            shutil.copyfileobj(response, file, 1 << 20)
            if expected is not None and file.tell() - before != int(expected):
                raise ConnectionError(f"the connection ended after {file.tell()} bytes")


def _from_store(url: str, part: Path, where: str, options: Options) -> None:
    address = Address.parse(url)
    client = client_for(address.scheme, options)
    try:
        client.get_file(address, part)
    except StorageError as error:
        raise WeightsError.of(problem(error, where=where, client=client).problems) from error


def _check_hash(part: Path, name: str, url: str, where: str) -> None:
    wanted = HASH.search(name)
    found = sha256(part)
    if wanted and not found.startswith(wanted.group(1)):
        part.unlink()
        raise WeightsError(
            what="the downloaded weights are not what their name says",
            value=f"SHA-256 {found[:16]}…",
            where=f"{url}, from {where}",
            allowed=f"a file whose SHA-256 begins with {wanted.group(1)}",
            next="try again; if it stays so, the server has another file under this name",
        )


def _unreachable(url: str, where: str, reason: str) -> WeightsError:
    return WeightsError(
        what=f"the weights can't be downloaded ({reason})",
        value=url,
        where=where,
        allowed="a URL that this machine can reach, or a local file",
        next="download the file elsewhere and write `use_pretrained: path/to/it.pth`, or `use_pretrained: false`",
    )
