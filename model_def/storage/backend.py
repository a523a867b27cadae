"""Object stores as storage backends of mmengine's file I/O: `mmengine.fileio` reads `s3://` and `gs://` with them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from shutil import SameFileError
from typing import Any, ClassVar

from mmengine.fileio import LocalBackend
from mmengine.fileio.backends import BaseStorageBackend

from model_def.storage.address import Address, is_remote
from model_def.storage.ahead import Ahead
from model_def.storage.cache import Cache
from model_def.storage.choose import client_for
from model_def.storage.client import ObjectMissing, Refused
from model_def.storage.endpoint import endpoint
from model_def.storage.listing import entries
from model_def.storage.options import Options
from model_def.storage.trees import Trees

Path_ = str | Path  # as mmengine takes it


class StoreBackend(BaseStorageBackend):
    """mmengine's whole contract over a store. Folders are what keys have in common up to a slash.

    Its arguments are `Options`. Reading takes local paths too: a data set may keep its annotations on the disk. Objects
    are fetched through the disk cache; nothing that this holds breaks in a fork or by pickling.

    All methods raise a `StorageError` where the store can't do what was asked; one for a missing object is a
    FileNotFoundError, as it is on a disk.
    """

    scheme: ClassVar[str]

    def __init__(self, **backend_args: Any) -> None:
        self.options = Options.of(backend_args)
        self.client = client_for(self.scheme, self.options)
        self.cache = Cache(self.options.cache, endpoint=endpoint(self.scheme, self.options))
        self._ahead = Ahead(self._read, threads=self.options.threads)
        self._trees = Trees(self.client, threads=self.options.threads)
        self._local = LocalBackend()

    def get(self, filepath: Path_) -> bytes:
        """The bytes of a file."""
        if not is_remote(filepath):
            return bytes(self._local.get(filepath))
        return self._ahead.read(self._at(filepath))

    def fetch_ahead(self, filepaths: Iterable[str]) -> None:
        """Begin to fetch what `get` will be asked for."""
        self._ahead.start(map(self._at, filepaths))

    @property
    def ahead_at_most(self) -> int:
        """How many files may be fetched ahead, by the size of those that were read; 0 before the first."""
        return self._ahead.at_most

    def _read(self, address: Address) -> bytes:
        return self.cache.read(address, self.client)

    def get_text(self, filepath: Path_, encoding: str = "utf-8") -> str:
        """The text of a file."""
        return self.get(filepath).decode(encoding)

    def put(self, obj: bytes, filepath: Path_) -> None:
        """Write an object, or write over it."""
        address = self._at(filepath)
        self.client.put(address, obj)
        self.cache.forget(address)

    def put_text(self, obj: str, filepath: Path_, encoding: str = "utf-8") -> None:
        """Write a text."""
        self.put(obj.encode(encoding), filepath)

    def exists(self, filepath: Path_) -> bool:
        """Whether there is an object, or a folder."""
        return self.isfile(filepath) or self.isdir(filepath)

    def isdir(self, filepath: Path_) -> bool:
        """Whether there is anything below this path."""
        if not is_remote(filepath):
            return bool(self._local.isdir(filepath))
        return self._trees.is_folder(self._at(filepath))

    def isfile(self, filepath: Path_) -> bool:
        """Whether there is an object of this key."""
        if not is_remote(filepath):
            return bool(self._local.isfile(filepath))
        address = self._at(filepath)
        try:
            return bool(address.key.rstrip("/") == address.key != "" and self.client.head(address))
        except ObjectMissing:
            return False

    def join_path(self, filepath: Path_, *filepaths: Path_) -> str:
        """The paths with one slash between each; one that is whole by itself replaces those before it."""
        joined = str(filepath)
        for more in map(str, filepaths):
            joined = more if is_remote(more) else f"{joined.rstrip('/')}/{more.lstrip('/')}" if joined else more
        return joined

    @contextlib.contextmanager
    def get_local_path(self, filepath: Path_) -> Iterator[str]:
        """A local file with the object's bytes, while the context lasts. Nobody may write to it: others read it."""
        if not is_remote(filepath):
            yield str(filepath)
            return
        with self.cache.path(self._at(filepath), self.client) as path:
            yield str(path)

    def copyfile(self, src: Path_, dst: Path_) -> str:
        """Copy an object to `dst`, or into it if it is a folder."""
        source = self._at(src)
        target = self._trees.inside(self._at(dst), source.name)
        if source == target:
            raise SameFileError(f"{src} and {dst} are the same object")
        self.client.copy(source, target)
        self.cache.forget(target)
        return str(target)

    def copytree(self, src: Path_, dst: Path_) -> str:
        """Copy all below `src` to `dst`, which must not be there."""
        self._trees.copy(self._at(src), self._absent(dst))
        return str(dst)

    def copyfile_from_local(self, src: Path_, dst: Path_) -> str:
        """Upload a local file to `dst`, or into it if it is a folder."""
        target = self._trees.inside(self._at(dst), Path(src).name)
        self.client.put_file(target, Path(src))
        self.cache.forget(target)
        return str(target)

    def copytree_from_local(self, src: Path_, dst: Path_) -> str:
        """Upload all files below a local folder to `dst`, which must not be there."""
        self._trees.upload(Path(src), self._absent(dst))
        return str(dst)

    def copyfile_to_local(self, src: Path_, dst: Path_) -> Path_:
        """Download an object to a local file, or into a local folder."""
        source = self._at(src)
        target = Path(dst) / source.name if Path(dst).is_dir() else Path(dst)
        self._trees.download_file(source, target)
        return target if isinstance(dst, Path) else str(target)

    def copytree_to_local(self, src: Path_, dst: Path_) -> Path_:
        """Download all below `src` to a local folder, which must not be there."""
        self._trees.download(self._at(src), Path(dst))
        return dst

    def remove(self, filepath: Path_) -> None:
        """Delete an object."""
        address = self._at(filepath)
        if not self.isfile(filepath):
            if self.isdir(filepath):
                raise IsADirectoryError(f"{filepath} is a folder: rmtree removes it")
            raise ObjectMissing.of(address, "remove")
        self.client.remove(address)
        self.cache.forget(address)

    def rmtree(self, dir_path: Path_) -> None:
        """Delete all below a folder."""
        for address in self._trees.remove(self._at(dir_path)):
            self.cache.forget(address)

    def copy_if_symlink_fails(self, src: Path_, dst: Path_) -> bool:
        """Copy, since no store has links; always False."""
        if self.isfile(src):
            self.copyfile(src, dst)
        else:
            self.copytree(src, dst)
        return False

    def list_dir_or_file(
        self,
        dir_path: Path_,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """The paths below a folder, relative to it; folders without a slash at their end, hidden files not at all.

        Raises:
            TypeError: a suffix where folders are asked for, or one that is neither a text nor a tuple.
        """
        if list_dir and suffix is not None:
            raise TypeError("`suffix` should be None when `list_dir` is True")
        if suffix is not None and not isinstance(suffix, str | tuple):
            raise TypeError("`suffix` must be a string or tuple of strings")
        if not is_remote(dir_path):
            return iter(self._local.list_dir_or_file(dir_path, list_dir, list_file, suffix, recursive))
        found = entries(self.client, self._at(dir_path), deep=recursive)
        return (
            path
            for path, is_folder in found
            if (list_dir if is_folder else list_file and (suffix is None or path.endswith(suffix)))
        )

    def generate_presigned_url(self, url: str, client_method: str = "get_object", expires_in: int = 3600) -> str:
        """Not given: such a URL is a credential, and would end in logs. `get_local_path` serves readers of files.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"a presigned URL is a credential; read {url} with get_local_path instead")

    def _at(self, filepath: Path_) -> Address:
        if not str(filepath).startswith(f"{self.scheme}://"):
            raise Refused(f"not an address of this store, which begins with {self.scheme}://: {filepath}")
        try:
            return Address.parse(filepath)
        except ValueError as error:
            raise Refused(str(error)) from error

    def _absent(self, filepath: Path_) -> Address:
        if self.exists(filepath):
            raise FileExistsError(f"{filepath} is there already")
        return self._at(filepath)


class S3Backend(StoreBackend):
    """Amazon S3, and servers that speak as it does."""

    scheme = "s3"


class GCSBackend(StoreBackend):
    """Google Cloud Storage."""

    scheme = "gs"
