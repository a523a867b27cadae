"""What a download still has to do: each archive's directory, less what is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from model_def.errors import DataError, OutputError
from model_def.storage.address import is_remote
from model_def.storage.client import StorageError
from model_def.transfer.archive import Member, members
from model_def.transfer.crowd import refused
from model_def.transfer.destination import Destination
from model_def.transfer.meter import sized
from model_def.transfer.official import HOME, SIZES, Archive
from model_def.transfer.source import AtUrl, OnDisk, Source


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """An archive, opened.

    Attributes:
        files: what is wanted of it.
        todo: those of them that aren't at the destination in their size.
        zips: zips in it, which are unpacked in their turn.
    """

    archive: Archive
    source: Source
    files: Sequence[Member]
    todo: Sequence[Member]
    zips: Sequence[Member]

    @property
    def size(self) -> int:
        """Bytes of the files to come."""
        return sum(member.size for member in self.todo)


def plan(archive: Archive, to: Destination, *, base: str, pause: Callable[[float], None]) -> Plan:
    """Open an archive and compare it with the destination.

    Raises:
        DataError: it isn't there, or is no such zip.
    """
    source = found(archive, base=base, pause=pause)
    try:
        wanted = [member for member in members(source) if member.name.startswith(archive.wanted)]
    except OSError as error:
        raise _unreadable(source.name, error) from error
    if not wanted:
        beginnings = ", ".join(archive.wanted)
        raise DataError(what="the zip holds nothing that is wanted", value=source.name, allowed=f"{beginnings} …")
    files = [member for member in wanted if not member.name.endswith(".zip")]
    there = sizes(to, {f"{archive.prefix}{member.name.rpartition('/')[0]}" for member in files})
    return Plan(
        archive=archive,
        source=source,
        files=files,
        todo=[member for member in files if there.get(archive.prefix + member.name) != member.size],
        zips=[member for member in wanted if member.name.endswith(".zip")],
    )


def sizes(to: Destination, folders: set[str]) -> dict[str, int]:
    """The files of these folders at the destination, with their bytes.

    Raises:
        DataError: it can't be listed.
    """
    try:
        return {name: size for folder in sorted(folders) for name, size in to.sizes(folder).items()}
    except StorageError as error:
        raise refused(error) from error
    except OSError as error:
        raise DataError(what="the destination can't be listed", value=str(to), where=str(error)) from error


def found(archive: Archive, *, base: str, pause: Callable[[float], None]) -> Source:
    """The archive, at home or below `base` (a URL or a folder).

    Raises:
        DataError: it isn't there, can't be reached, or has not the size that COCO's has.
    """
    source = next((source for url in archive.urls(base) if (source := _opened(url, pause))), None)
    if source is None:
        raise DataError(
            what="there is no such archive",
            value=archive.name,
            where=" or ".join(archive.urls(base)),
            allowed=f"a base as {HOME}: with zips/ and annotations/ below it, or all zips in one place",
            next="correct --from",
        )
    known = SIZES.get(archive.name, source.size)
    if not base and known != source.size:
        raise DataError(
            what=f"{archive.name} has another size than COCO's",
            value=f"{source.size:,} bytes",
            where=source.name,
            allowed=f"{known:,} bytes",
            next=f"look for a proxy between; if you trust what it sends: --from {archive.home}",
        )
    return source


def _opened(url: str, pause: Callable[[float], None]) -> Source | None:
    if is_remote(url) or (url.partition("://")[1] and not url.startswith(("http://", "https://"))):
        raise DataError(what="no such kind of source", value=url, allowed="http://…, https://… or a folder")
    try:
        return AtUrl.open(url, pause=pause) if "://" in url else OnDisk.open(Path(url).expanduser())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(url, error) from error


def _unreadable(name: str, error: OSError) -> DataError:
    return DataError(
        what="the archive can't be read",
        value=name,
        where=str(error),
        allowed="a URL that this machine can reach, or a folder with the zips",
        next="look at the network and its proxies (http_proxy), or choose another place: --from URL",
    )


def require_room(plans: Sequence[Plan], to: Destination) -> None:
    """Refuse to begin what can't end.

    Raises:
        OutputError: the disk has less room than the files take. A zip in a zip lies there until it is unpacked.
    """
    needed = sum(one.size + sum(2 * inner.size for inner in one.zips) for one in plans)
    free = to.room()
    if free is not None and needed > free:
        raise OutputError(
            what="the disk has no room for the data set",
            value=f"{sized(free)} free",
            where=str(to),
            allowed=f"{sized(needed)} or more",
            next="free some room, choose another --to, or fewer --split",
        )
