"""Whole folders of a store: copied, uploaded, downloaded and removed with several requests at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from model_def.storage.address import Address
from model_def.storage.client import Client, ObjectMissing

T = TypeVar("T")


class Trees:
    """Folders of the store that `client` reaches, with `threads` requests at a time."""

    def __init__(self, client: Client, *, threads: int) -> None:
        self._client, self._threads = client, threads

    def is_folder(self, address: Address) -> bool:
        """Whether there is anything below `address`."""
        return any(True for _ in self._client.list(address.folder, limit=1))

    def inside(self, target: Address, name: str) -> Address:
        """`target`, or the place of `name` in it if it is a folder."""
        return target / name if not target.key or target.key.endswith("/") or self.is_folder(target) else target

    def copy(self, source: Address, target: Address) -> None:
        """All below `source`, to below `target`."""
        self._each(lambda path: self._client.copy(source / path, target / path), self._below(source))

    def upload(self, source: Path, target: Address) -> None:
        """All files below the local folder `source`."""
        if not source.is_dir():
            raise NotADirectoryError(f"{source} is not a folder")
        put = self._client.put_file
        self._each(lambda file: put(target / file.relative_to(source).as_posix(), file), local_files(source))

    def download(self, source: Address, target: Path) -> None:
        """All below `source`, into the new local folder `target`."""
        paths = [*self._below(source)]
        if outside := [path for path in paths if ".." in path.split("/")]:
            raise ValueError(f"{source / outside[0]} would be written outside of {target}")
        target.mkdir(parents=True)
        self._each(lambda path: self.download_file(source / path, target / path, parents=True), paths)

    def download_file(self, source: Address, target: Path, *, parents: bool = False) -> None:
        """An object, as a local file that is whole or not there."""
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            self._client.get_file(source, part)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)

    def remove(self, folder: Address) -> list[Address]:
        """All below `folder`; gives what was removed."""
        addresses = [stat.address for stat in self._client.list(folder.folder)]
        if not addresses:
            raise ObjectMissing.of(folder, "nothing below it")
        self._each(self._client.remove, addresses)
        return addresses

    def _below(self, folder: Address) -> Iterator[str]:
        root, empty = folder.folder, True
        for stat in self._client.list(root):
            empty = False
            if not stat.is_folder:
                yield stat.address.key[len(root.key) :]
        if empty:
            raise ObjectMissing.of(folder, "nothing below it")

    def _each(self, action: Callable[[T], None], things: Iterable[T]) -> None:
        with ThreadPoolExecutor(self._threads) as pool:
            for _ in pool.map(action, things):
                pass


def local_files(folder: Path) -> Iterator[Path]:
    """All files below a local folder, in order. Links are followed, in no circles."""
    seen: set[str] = set()
    for path, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(path))
        folders[:] = sorted(one for one in folders if os.path.realpath(os.path.join(path, one)) not in seen)
        yield from (Path(path, name) for name in sorted(names))
