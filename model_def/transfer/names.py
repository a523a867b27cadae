"""The names of files in an annotation file, found without parsing it: COCO's largest would take gigabytes of memory."""

from __future__ import annotations

import re
from collections.abc import Iterable

_FILE_NAME = re.compile(rb'"file_name"\s*:\s*"([^"]+)"')
_LONGEST = 1024  # bytes of a name with its key


def file_names(pieces: Iterable[bytes], suffix: str = "") -> set[str]:
    """Every `file_name` in a JSON text that comes in pieces, if it ends with `suffix`."""
    found: set[bytes] = set()
    rest = b""
    for piece in pieces:
        text = rest + piece
        found.update(_FILE_NAME.findall(text))
        rest = text[-_LONGEST:]
    return {name.decode() for name in found if name.endswith(suffix.encode())}
