"""A zip that is unpacked while it comes: its directory, which lies at its end, is read first, then any part of it.

What is there already is not fetched again, nothing is ever kept but what is being unpacked, and each file is compared
with the directory's CRC-32 before it counts as there.
"""

from __future__ import annotations

import dataclasses
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator

from model_def.errors import DataError
from model_def.transfer.seekable import Seekable
from model_def.transfer.source import Source

RUN = 8 << 20  # compressed bytes that are fetched with one request, or one file if that is larger
GAP = 1 << 16  # unwanted bytes between two files that are read rather than asked around
ATTEMPTS = 5  # for a file whose bytes are not what the directory says
INFLATED = 1 << 20  # bytes that leave the decompressor at once
_HEADER = struct.Struct(
    "<4s22xHH"
)  # a local file header: its signature, the lengths of the name and of what follows it
_JUNK = ("__MACOSX/", ".DS_Store", "Thumbs.db")

Write = Callable[[str, int, Iterator[bytes]], None]


class Garbled(OSError):
    """The bytes that came are not those that the zip's directory tells of."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """A file in a zip: its name there, its place with its header (bytes), its own size, its method and its CRC-32."""

    name: str
    start: int
    end: int
    compressed: int
    size: int
    method: int
    crc: int


def members(source: Source) -> list[Member]:
    """The files in a zip, in the order in which they lie there. Folders and what desktops add are left out.

    Raises:
        DataError: it is no zip, or it is packed in a way that nobody uses for data sets.
        OSError: it can't be read.
    """
    try:
        with zipfile.ZipFile(Seekable(source)) as archive:
            entries, end = sorted(archive.infolist(), key=lambda entry: entry.header_offset), archive.start_dir
    except zipfile.BadZipFile as error:
        raise DataError(
            what=f"not a zip file ({error})", value=source.name, next="look at what this URL sends"
        ) from error
    ends = [entry.header_offset for entry in entries[1:]] + [end]
    found = [_member(entry, end, source) for entry, end in zip(entries, ends, strict=True) if not entry.is_dir()]
    return [member for member in found if not any(junk in member.name for junk in _JUNK)]


def _member(entry: zipfile.ZipInfo, end: int, source: Source) -> Member:
    unsafe = entry.filename.startswith("/") or ".." in entry.filename.split("/")
    if unsafe or entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(
            what="the zip holds a file that can't be unpacked here",
            value=entry.filename,
            where=source.name,
            allowed="files below the zip's root, stored or deflated, without a password",
        )
    return Member(
        name=entry.filename,
        start=entry.header_offset,
        end=end,
        compressed=entry.compress_size,
        size=entry.file_size,
        method=entry.compress_type,
        crc=entry.CRC,
    )


def runs(wanted: Iterable[Member]) -> Iterator[list[Member]]:
    """Groups of files that lie together, to be fetched with one request each."""
    run: list[Member] = []
    for member in wanted:
        if run and (member.end - run[0].start > RUN or member.start - run[-1].end > GAP):
            yield run
            run = []
        run.append(member)
    if run:
        yield run


def unpack(source: Source, run: list[Member], write: Write) -> None:
    """Fetch a run and write its files. `write(name, size, pieces)` keeps a file only if all its pieces come.

    Raises:
        Garbled: a file's bytes were wrong `ATTEMPTS` times.
        OSError: the source can't be read, or a file not be written.
    """
    attempts = 0
    while run:
        stream = _Stream(source.read(run[0].start, run[-1].end), at=run[0].start)
        try:
            for member in list(run):
                stream.skip(member.start - stream.at)
                write(member.name, member.size, _checked(member, _content(member, stream)))
                run, attempts = run[1:], 0
        except Garbled:
            attempts += 1
            if attempts == ATTEMPTS:
                raise


class _Stream:
    """Bytes that come in pieces, taken in pieces of other sizes."""

    def __init__(self, pieces: Iterator[bytes], *, at: int) -> None:
        self._pieces = pieces
        self._piece = b""
        self.at = at

    def take(self, count: int) -> Iterator[bytes]:
        """The next `count` bytes."""
        while count:
            if not self._piece:
                self._piece = next(self._pieces, b"")
                if not self._piece:
                    raise Garbled("the zip ends in the middle of a file")
            part, self._piece = self._piece[:count], self._piece[count:]
            self.at += len(part)
            count -= len(part)
            yield part

    def skip(self, count: int) -> None:
        """Leave out the next `count` bytes."""
        for _ in self.take(count):
            pass


def _content(member: Member, stream: _Stream) -> Iterator[bytes]:
    """The file's own bytes. Its header is read here again: its length may be other than the directory says."""
    signature, name, extra = _HEADER.unpack(b"".join(stream.take(_HEADER.size)))
    if signature != b"PK\3\4":
        raise Garbled(f"{member.name}: there is no file where the zip's directory says")
    stream.skip(name + extra)
    if member.method == zipfile.ZIP_STORED:
        yield from stream.take(member.compressed)
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for part in stream.take(member.compressed):
            while part:
                yield inflate.decompress(part, INFLATED)
                part = inflate.unconsumed_tail
        yield inflate.flush()
    except zlib.error as error:
        raise Garbled(f"{member.name}: {error}") from error


def _checked(member: Member, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces; after the last one, their size and CRC-32 are compared.

    Raises:
        Garbled: they are others than the directory says.
    """
    size = crc = 0
    for piece in pieces:
        size, crc = size + len(piece), zlib.crc32(piece, crc)
        yield piece
    if (size, crc) != (member.size, member.crc):
        raise Garbled(f"{member.name}: its bytes are not what the zip's directory says (size or CRC-32)")
