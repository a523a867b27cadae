"""What a folder of a store holds, as a folder of a disk would list it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from model_def.storage.address import Address
from model_def.storage.client import Client, ObjectMissing


def entries(client: Client, folder: Address, *, deep: bool) -> Iterator[tuple[str, bool]]:
    """Each path below `folder`, relative to it, and whether it is a folder. Files that begin with a dot are left out.

    Raises:
        ObjectMissing: there is nothing below it.
    """
    root, seen, empty = folder.folder, set(), True
    for stat in client.list(root, deep=deep):
        empty = False
        path = stat.address.key[len(root.key) :]
        parts = PurePosixPath(path.rstrip("/"))
        above = [*reversed(parts.parents)][1:] + ([parts] if stat.is_folder and path else [])
        for new in (str(part) for part in above if str(part) not in seen):
            seen.add(new)
            yield new, True
        if not stat.is_folder and not parts.name.startswith("."):
            yield path, False
    if empty:
        raise ObjectMissing.of(folder, "nothing below it")
