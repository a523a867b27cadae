"""`data put`: every file of a folder becomes an object below a prefix, and is seen to be there as it was."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from model_def.errors import DataError
from model_def.storage.client import Stat, StorageError
from model_def.storage.s3 import PART
from model_def.storage.trees import local_files
from model_def.transfer.crowd import Crowd, Failure, refused, told
from model_def.transfer.destination import Prefix
from model_def.transfer.meter import Meter, sized

_OURS = (".lock", ".part")  # the ends of names of hidden files that a download leaves


class Upload:
    """One upload. `there` and `total` count its files, also when it was stopped."""

    def __init__(self, folder: Path, to: Prefix, console: Console, *, threads: int) -> None:
        self._folder, self._to, self._console = folder.expanduser(), to, console
        self._crowd = Crowd(threads=threads)
        self._sums: dict[str, str] = {}
        self.there = self.total = 0

    def run(self) -> None:
        """Send what isn't there with the same size and checksum; then compare all of it with the bucket's list.

        Raises:
            DataError: there is no such folder, nothing in it, or the bucket can't be written.
            UserError: files that could not be sent, by name.
        """
        files = dict(self._files())
        if not files:
            raise DataError(what="the folder holds no files", value=str(self._folder), next="correct the path")
        self.total, before = len(files), self._listed()
        self._console.print(Text(f"{self._folder} → {self._to}: {self.total:,} files, {sized(sum(files.values()))}"))
        sent = self._send(files, before)
        failures = self._different(files)
        if failures:
            raise self._told(failures, "objects are not what was sent")
        came, were = sized(sum(files[name] for name in sent)), self.total - len(sent)
        self._console.print(Text(f"  {len(sent):,} sent ({came}), {were:,} were there; all {self.total:,} are as here"))

    def _send(self, files: dict[str, int], before: dict[str, Stat]) -> list[str]:
        meter = Meter(self._console, what="files", items=self.total, size=sum(files.values()))
        sent, lock = [], threading.Lock()

        def send(name: str) -> None:
            path = self._folder / name
            if not (name in before and self._same(name, before[name], files[name])):
                self._to.put_file(name, path)
                with lock:
                    sent.append(name)
            meter.add(items=1, size=files[name])

        try:
            with meter:
                failures = self._crowd.each(files, send, tick=meter.show)
        finally:
            self.there = meter.items
        if failures:
            raise self._told(failures, "files could not be sent")
        return sent

    def _files(self) -> Iterator[tuple[str, int]]:
        """The names of all files below the folder and their bytes, in order."""
        if not self._folder.is_dir():
            what = "the folder is a file" if self._folder.is_file() else "there is no such folder"
            raise DataError(what=what, value=str(self._folder), next=f"ls {self._folder.parent}")
        for file in (file for file in local_files(self._folder) if not _is_ours(file.name)):
            yield file.relative_to(self._folder).as_posix(), file.stat().st_size if file.exists() else 0

    def _listed(self) -> dict[str, Stat]:
        try:
            return self._to.stats("")
        except StorageError as error:
            raise refused(error) from error

    def _different(self, files: dict[str, int]) -> list[Failure[str]]:
        there = self._listed()
        lost = [name for name in files if name not in there or not self._same(name, there[name], files[name])]
        return [Failure(job=name, error=OSError("size or checksum differ")) for name in lost]

    def _same(self, name: str, stat: Stat, size: int) -> bool:
        """Whether the object has the file's size and checksum. A file is read once for this."""
        if stat.size != size:
            return False
        if not stat.md5 and "-" in stat.version:
            return stat.version == parts_etag(self._folder / name)
        if name not in self._sums:
            self._sums[name] = md5(self._folder / name)
        return self._sums[name] == (stat.md5 or stat.version)

    def _told(self, failures: list[Failure[str]], what: str) -> Exception:
        again = "start again: what is there as it should be is not sent again"
        return told(failures, str, what=what, of=self.total, next_step=again)


def md5(path: Path) -> str:
    """A file's MD5, in hex: S3's ETag of an object that was sent at once, and what GCS tells."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def parts_etag(path: Path) -> str:
    """S3's ETag of a file that was sent in parts, as our client sends large ones: the MD5 of the parts' MD5s."""
    sums = []
    with path.open("rb") as file:
        while part := file.read(PART):
            sums.append(hashlib.md5(part, usedforsecurity=False).digest())
    return f"{hashlib.md5(b''.join(sums), usedforsecurity=False).hexdigest()}-{len(sums)}"


def _is_ours(name: str) -> bool:
    return name.startswith(".") and name.endswith(_OURS)
