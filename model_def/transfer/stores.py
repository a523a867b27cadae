"""Places to write to, from what is written on the command line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from model_def.errors import DataError
from model_def.storage.address import Address
from model_def.storage.choose import client_for
from model_def.storage.options import Options
from model_def.transfer.destination import Destination, Folder, Prefix


def address(url: str, where: str) -> Address:
    """Raises DataError for anything but `s3://bucket/…` and `gs://bucket/…`."""
    try:
        return Address.parse(url)
    except ValueError as error:
        what, allowed = "not the address of a bucket", "s3://bucket/prefix or gs://bucket/prefix"
        raise DataError(what=what, value=url, where=where, allowed=allowed) from error


def prefix(url: str, where: str, options: Options) -> Prefix:
    """A bucket and a prefix to write to.

    Raises:
        DataError: the URL names none.
    """
    place = address(url, where)
    return Prefix(dataclasses.replace(place, key=place.key.strip("/")), client_for(place.scheme, options))


def destination(name: str, where: str, options: Options) -> Destination:
    """A folder, or a prefix of a bucket.

    Raises:
        DataError: the URL names neither.
    """
    return prefix(name, where, options) if "://" in name else Folder(Path(name))
