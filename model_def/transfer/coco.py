"""`data coco`: COCO's archives are unpacked where mmdet's configs look for them, while they are downloaded."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from model_def.errors import DataError
from model_def.transfer.archive import Member, members, runs, unpack
from model_def.transfer.crowd import Crowd, told
from model_def.transfer.destination import Destination, Folder
from model_def.transfer.meter import Meter, sized
from model_def.transfer.names import file_names
from model_def.transfer.official import archives
from model_def.transfer.plan import Plan, plan, require_room, sizes
from model_def.transfer.source import OnDisk, Source
from model_def.transfer.unlabeled import MADE, write_unlabeled


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """The year, the splits, further annotations; and from where: a URL or a folder, empty for COCO's own server."""

    year: int
    splits: Sequence[str]
    panoptic: bool = False
    stuff: bool = False
    base: str = ""
    threads: int = 8


class Download:
    """One download. `there` and `total` count its files, also when it was stopped."""

    def __init__(self, wanted: Wanted, to: Destination, console: Console) -> None:
        self._wanted, self._to, self._console = wanted, to, console
        self._crowd = Crowd(threads=wanted.threads)
        self.there = self.total = 0

    def run(self) -> None:
        """Bring what is missing, and say what is there then.

        Raises:
            DataError: an archive can't be had, or isn't what it should be.
            OutputError: the destination can't be written, or has no room.
            UserError: files that could not be brought.
        """
        wanted = self._wanted
        self._tell(f"{self._to}: COCO {wanted.year}, {' and '.join(wanted.splits)}", indent="")
        chosen = archives(wanted.year, wanted.splits, panoptic=wanted.panoptic, stuff=wanted.stuff)
        with self._to.alone():
            plans = [plan(one, self._to, base=wanted.base, pause=self._crowd.pause) for one in chosen]
            require_room(plans, self._to)
            self.total = sum(len(one.files) for one in plans)
            self.there = self.total - sum(len(one.todo) for one in plans)
            for one in plans:
                self._bring(one.source, one.todo, self._to, prefix=one.archive.prefix, of=len(one.files))
                for inner in one.zips:
                    self._bring_inner(one, inner)
                self._compare(one)
            if "unlabeled" in wanted.splits:
                self._add_unlabeled()

    def _bring(self, source: Source, todo: Sequence[Member], to: Destination, *, prefix: str, of: int) -> None:
        """Unpack some files of an archive."""
        name = Path(source.name).name
        size, before = sum(member.size for member in todo), of - len(todo)
        meter = Meter(self._console, what=f"files of {name}", items=of, size=size, done=before)

        def write(name: str, size: int, pieces: Iterator[bytes]) -> None:
            to.write(prefix + name, size, self._counted(pieces, meter))
            meter.add(items=1)

        try:
            with meter:
                failures = self._crowd.each(runs(todo), lambda run: unpack(source, run, write), tick=meter.show)
        finally:
            self.there += meter.items - before
        if failures:
            what, again = "parts of the archive can't be had", "start again: what is there is not fetched again"
            raise told(failures, lambda run: run[0].name, what=what, of=len(list(runs(todo))), next_step=again)
        self._tell(f"{name}: {of:,} file{'' if of == 1 else 's'} ({before:,} were there, {sized(size)} came)")

    def _bring_inner(self, one: Plan, inner: Member) -> None:
        """A zip in a zip: it is kept beside its place (for a bucket: on this disk) until it is unpacked."""
        folder = one.archive.prefix + inner.name.removesuffix(".zip")
        names = self._names(f"{folder}.json", ".png")
        if names and names <= {Path(name).name for name in sizes(self._to, {folder})}:
            self._tell(f"{folder}: all {len(names):,} files were there")
            return
        with self._keep() as keep:
            if keep.sizes(str(Path(inner.name).parent)).get(inner.name) != inner.size:
                self.total += 1
                self._bring(one.source, [inner], keep, prefix="", of=1)
            kept = keep.root / inner.name
            source = OnDisk.open(kept)
            files = [member for member in members(source) if member.name.endswith(".png")]
            _require(names, files, f"{folder}.json", source)
            whole = all(member.name.startswith(f"{Path(folder).name}/") for member in files)
            prefix = f"{folder.rpartition('/')[0]}/" if whole else f"{folder}/"
            there = sizes(self._to, {folder})
            todo = [member for member in files if there.get(prefix + member.name) != member.size]
            self.total, self.there = self.total + len(files), self.there + len(files) - len(todo)
            self._bring(source, todo, self._to, prefix=prefix, of=len(files))
            kept.unlink()

    @contextlib.contextmanager
    def _keep(self) -> Iterator[Folder]:
        if isinstance(self._to, Folder):
            yield self._to
            return
        with tempfile.TemporaryDirectory() as folder:
            yield Folder(Path(folder))

    def _compare(self, one: Plan) -> None:
        """Every image that the annotations name has to be in the archive."""
        if not (file := one.archive.named_by):
            return
        names = self._names(file)
        _require(names, one.files, file, one.source)
        self._tell(f"{one.archive.holds}: all {len(names):,} images of {file} are there")

    def _add_unlabeled(self) -> None:
        try:
            if write_unlabeled(self._to):
                self._tell(f"{MADE}: written, for mmdet's semi-supervised configs")
        except (OSError, ValueError, KeyError) as error:
            raise DataError(what="the file can't be written", value=MADE, where=f"{self._to}: {error}") from error

    def _names(self, file: str, suffix: str = "") -> set[str]:
        try:
            return file_names(self._to.read(file), suffix)
        except OSError as error:
            raise DataError(what="the annotations can't be read again", value=file, where=str(error)) from error

    def _tell(self, text: str, *, indent: str = "  ") -> None:
        self._console.print(Text(indent + text))

    def _counted(self, pieces: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
        for piece in pieces:
            self._crowd.pause(0)  # after Ctrl-C this file is given up
            meter.add(size=len(piece))
            yield piece


def _require(names: set[str], files: Sequence[Member], named_by: str, source: Source) -> None:
    """Raises DataError if the archive lacks what an annotation file names, or that names nothing."""
    lost = sorted(names - {Path(member.name).name for member in files})
    if lost or not names:
        raise DataError(
            what=f"{len(lost):,} of {len(names):,} images that the annotations name are not in the archive",
            value=", ".join(lost[:5]),
            where=f"{named_by} and {source.name}",
            next="look at both: they are not of the same data set",
        )
