"""A source as a file object, of which little more than the end is ever read."""

from __future__ import annotations

import io
from typing import Any

from model_def.transfer.source import Source


class Seekable(io.RawIOBase):
    """A source as the file object that `zipfile` reads a directory from. Its end is read once and kept.

    A zip's directory lies at its end: COCO's largest takes 12 MB.
    """

    TAIL = 1 << 16

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._at = 0
        self._tail_at = source.size
        self._tail = b""

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The next byte's place."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As any file's."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, as far as the file goes."""
        end = min(self._at + len(buffer), self._source.size)
        if self._at < self._tail_at and self._at < end:
            begin = max(min(self._at, self._source.size - self.TAIL), 0)
            self._tail = b"".join(self._source.read(begin, self._tail_at)) + self._tail
            self._tail_at = begin
        piece = self._tail[self._at - self._tail_at : end - self._tail_at]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
