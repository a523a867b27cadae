"""The name that was meant: what is there and looks most like a path that isn't."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from typing import Any

from model_def.fields import nearest
from model_def.storage.address import Address, is_remote
from model_def.transfer.presence import backend

LOOKED_AT = 300  # names


def near(path: str, backend_args: Mapping[str, Any] | None) -> str:
    """A path that is there and looks like `path`: another file of its folder, or a folder like its own; "" if none.

    A folder may hold a hundred thousand objects: of those, the ones that begin as the name does are looked at.
    """
    folder, _, name = path.rstrip("/").rpartition("/")
    if not name or folder.endswith(":/"):
        return ""
    for length in (len(name) * 3 // 4, len(name) // 2, len(name) // 4, 0):
        names = _names(folder, name[:length], backend_args)
        if close := nearest(name, names, count=1):
            return f"{folder}/{close[0]}" if folder else close[0]
        if names and not length:
            return ""
    found = near(folder, backend_args)
    return f"{found}/" if found else ""


def _names(folder: str, beginning: str, backend_args: Mapping[str, Any] | None) -> list[str]:
    """Some names in a folder that begin so."""
    if is_remote(folder):
        place = Address.parse(f"{Address.parse(folder).folder}{beginning}")
        found = backend(folder, backend_args).client.list(place, deep=False, limit=LOOKED_AT)
        return [stat.address.name for stat in found]
    try:
        with os.scandir(folder or ".") as entries:
            return list(itertools.islice((one.name for one in entries if one.name.startswith(beginning)), LOOKED_AT))
    except OSError:
        return []
