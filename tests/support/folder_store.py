"""A store whose objects are files of a folder, `ROOT/bucket/key`. Each request leaves a line in `ROOT/requests`."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import shutil
from collections import Counter
from collections.abc import Iterator

from model_def.storage.address import Address
from model_def.storage.client import Blob, ObjectMissing, Stat


@dataclasses.dataclass(frozen=True)
class FolderStore:
    """A `Client` that works in every process. An object's version is the MD5 of its bytes."""

    root: pathlib.Path

    def get(self, address: Address) -> Blob:
        body = self._body(address, "get")
        return Blob(body=body, version=_version(body))

    def get_file(self, address: Address, path: pathlib.Path) -> str:
        body = self._body(address, "get_file")
        path.write_bytes(body)
        return _version(body)

    def head(self, address: Address) -> Stat:
        body = self._body(address, "head")
        return Stat(address=address, size=len(body), version=_version(body))

    def list(self, address: Address, *, deep: bool = True, limit: int | None = None) -> Iterator[Stat]:
        raise NotImplementedError

    def put(self, address: Address, body: bytes) -> None:
        self.path(address).parent.mkdir(parents=True, exist_ok=True)
        self.path(address).write_bytes(body)

    def put_file(self, address: Address, path: pathlib.Path) -> None:
        self.put(address, path.read_bytes())

    def remove(self, address: Address) -> None:
        self.path(address).unlink(missing_ok=True)

    def copy(self, source: Address, target: Address) -> None:
        shutil.copyfile(self.path(source), self.path(target))

    def path(self, address: Address) -> pathlib.Path:
        return self.root / address.bucket / address.key

    def requests(self) -> Counter[str]:
        """How many there were of each method, of all processes."""
        log = self.root / "requests"
        return Counter(log.read_text().split() if log.exists() else ())

    def _body(self, address: Address, method: str) -> bytes:
        log = os.open(self.root / "requests", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(log, f"{method}\n".encode())
        os.close(log)
        try:
            return self.path(address).read_bytes()
        except FileNotFoundError:
            raise ObjectMissing(f"{address} is missing", url=str(address)) from None


def _version(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
