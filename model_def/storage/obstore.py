"""Reads with the package `obstore`, which takes less CPU time than boto3 and google-cloud-storage."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_def.storage.address import Address
from model_def.storage.client import Blob, Client, Stat, StorageError
from model_def.storage.obstore_stores import new_store
from model_def.storage.options import Options
from model_def.storage.per_process import PerProcess
from model_def.storage.whole import Check, md5_of, noted_digest


class ObstoreClient:
    """A `Client` that gets objects with obstore in the workers of a DataLoader; `usual` does all else.

    *Measured*: where a process has used obstore, its forked children hang, with stores of their own too. Workers fork
    no more, so only they use it.

    What obstore doesn't give, or gives damaged, is asked of `usual`, which tries again and knows what is wrong.
    """

    def __init__(self, usual: Client, options: Options, *, endpoint: str) -> None:
        self._usual, self._options, self._endpoint = usual, options, endpoint
        self._stores: PerProcess[dict[tuple[str, str], Any]] = PerProcess(dict)

    def get(self, address: Address) -> Blob:
        found = self._tried(address) if _in_worker() else None
        return found or self._usual.get(address)

    def get_file(self, address: Address, path: Path) -> str:
        return self._usual.get_file(address, path)

    def head(self, address: Address) -> Stat:
        return self._usual.head(address)

    def list(self, address: Address, *, deep: bool = True, limit: int | None = None) -> Iterator[Stat]:
        return self._usual.list(address, deep=deep, limit=limit)

    def put(self, address: Address, body: bytes) -> None:
        self._usual.put(address, body)

    def put_file(self, address: Address, path: Path) -> None:
        self._usual.put_file(address, path)

    def remove(self, address: Address) -> None:
        self._usual.remove(address)

    def copy(self, source: Address, target: Address) -> None:
        self._usual.copy(source, target)

    def _tried(self, address: Address) -> Blob | None:
        """The object; None if obstore fails.

        Its body is checked by length, and by what our upload has noted, or the ETag where that is an MD5.
        """
        from obstore.exceptions import BaseError

        try:
            answer = self._store(address).get(address.key)
            about, body = answer.meta, bytes(answer.bytes())
        except (BaseError, OSError, ValueError):
            return None
        etag = (about["e_tag"] or "").strip('"')
        check = Check(address, size=about["size"], digests=noted_digest(answer.attributes) or md5_of(etag))
        try:
            check.update(body)
            check.done()
        except StorageError:
            return None
        return Blob(body=body, version=etag if address.scheme == "s3" else about["version"] or etag)

    def _store(self, address: Address) -> Any:
        stores, name = self._stores(), (address.scheme, address.bucket)
        if name not in stores:
            stores.setdefault(name, new_store(address, self._options, endpoint=self._endpoint))
        return stores[name]


def _in_worker() -> bool:
    """Whether this is a DataLoader's worker. Where torch wasn't imported, it is not."""
    data = sys.modules.get("torch.utils.data")
    return data is not None and data.get_worker_info() is not None
