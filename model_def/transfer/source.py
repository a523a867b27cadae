"""Parts of a file that lies behind a URL, or on this disk. A connection that breaks is taken up where it broke."""

from __future__ import annotations

import dataclasses
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from model_def.errors import DataError

CHUNK = 1 << 18  # bytes
TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 10  # without a byte between them
FIRST_ATTEMPTS = 3  # for the first byte of all: a wrong URL has to be told soon
LONGEST_PAUSE = 10.0  # seconds
AGAIN = (408, 425, 429)  # status codes that may pass, as 5xx may


class Source(Protocol):
    """A file of `size` bytes, any part of which can be read."""

    @property
    def name(self) -> str:
        """Its URL or path."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` up to `end`, all of them, piece by piece."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnDisk:
    """A file on this disk."""

    path: Path
    name: str
    size: int

    @classmethod
    def open(cls, path: Path) -> OnDisk:
        """Raises FileNotFoundError."""
        return cls(path=path, name=str(path), size=path.stat().st_size)

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """As `Source.read`; raises OSError."""
        with self.path.open("rb") as file:
            file.seek(start)
            while start < end and (piece := file.read(min(CHUNK, end - start))):
                start += len(piece)
                yield piece
        if start < end:
            raise OSError(f"{self.path} has become shorter")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AtUrl:
    """A file on a server that answers `Range`.

    Attributes:
        version: its ETag, or when it was changed: each answer must have the same.
        pause: sleeps before another attempt; may raise to give up.
    """

    name: str
    size: int
    version: str
    pause: Callable[[float], None]

    @classmethod
    def open(cls, url: str, *, pause: Callable[[float], None]) -> AtUrl:
        """Ask for the first byte: tells the size, and whether the server answers with parts.

        Raises:
            FileNotFoundError: there is nothing at this URL.
            OSError: the server can't be reached, or refuses.
            DataError: it sends whole files only.
        """
        for left in _attempts(pause, FIRST_ATTEMPTS):
            try:
                with _request(url, 0, 1) as answer:
                    whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
                    if answer.status != http.HTTPStatus.PARTIAL_CONTENT or not whole.isdigit():
                        raise _sends_no_parts(url)
                    return cls(name=url, size=int(whole), version=_version(answer), pause=pause)
            except (OSError, http.client.HTTPException) as error:
                _may_pass(error, url, left)
        raise AssertionError("the last attempt returns or raises")

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """As `Source.read`; raises OSError after attempts enough without a byte, or when the file has changed."""
        attempts = _attempts(self.pause, ATTEMPTS)
        while start < end:
            left = next(attempts)
            try:
                for piece in self._part(start, end):
                    start += len(piece)
                    attempts, left = _attempts(self.pause, ATTEMPTS), ATTEMPTS
                    yield piece
                if start < end:
                    raise ConnectionError(f"the connection ended before byte {end:,}")
            except (OSError, http.client.HTTPException) as error:
                _may_pass(error, self.name, left)

    def _part(self, start: int, end: int) -> Iterator[bytes]:
        with _request(self.name, start, end) as answer:
            if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
                raise _sends_no_parts(self.name)
            if _version(answer) != self.version:
                raise DataError(
                    what="the file on the server has changed in the meantime", value=self.name, next="start again"
                )
            while start < end and (piece := answer.read(min(CHUNK, end - start))):
                start += len(piece)
                yield piece


def _request(url: str, start: int, end: int) -> Any:
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"})
    return urllib.request.urlopen(request, timeout=TIMEOUT)


def _version(answer: Any) -> str:
    return str(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")


def _attempts(pause: Callable[[float], None], count: int) -> Iterator[int]:
    """For each of so many attempts how many are left after it, with longer and longer pauses between them."""
    for attempt in range(count):
        if attempt:
            pause(min(0.5 * 2**attempt, LONGEST_PAUSE))
        yield count - attempt - 1


def _may_pass(error: Exception, url: str, left: int) -> None:
    """Return if it is worth another attempt, and one is left; else raise what the user has to know."""
    if isinstance(error, urllib.error.HTTPError):
        if error.code in (404, 410):
            raise FileNotFoundError(f"{url}: HTTP {error.code} {error.reason}") from error
        if error.code < 500 and error.code not in AGAIN:
            raise PermissionError(f"{url}: HTTP {error.code} {error.reason}") from error
    if not left:
        reason = getattr(error, "reason", None) or error
        raise ConnectionError(f"{url}: {reason}, again and again") from error


def _sends_no_parts(url: str) -> DataError:
    return DataError(
        what="the server can't send a part of a file, without which nothing could be resumed",
        value=url,
        allowed="a server that answers `Range`, as COCO's own and every object store does",
        next=f"download {url.rsplit('/', 1)[-1]} otherwise, then --from THE_FOLDER_IT_IS_IN",
    )
