"""A store of objects whose bytes follow from their keys: each reader knows what is right."""

from __future__ import annotations

import hashlib
import pathlib
import random
from collections.abc import Iterable, Mapping

from model_def.storage.address import Address
from model_def.storage.client import Blob, Stat


def bodies(addresses: Iterable[Address], size: int) -> dict[Address, bytes]:
    """The only right bytes of each: `size` of them, or up to a tenth fewer, so that lengths differ too."""
    made = {}
    for address in addresses:
        chance = random.Random(str(address))
        made[address] = chance.randbytes(size - chance.randrange(size // 10))
    return made


class MadeStore:
    """The part of a `Client` that reads."""

    def __init__(self, made: Mapping[Address, bytes]) -> None:
        self.made = made

    def get(self, address: Address) -> Blob:
        return Blob(body=self.made[address], version=self.head(address).version)

    def get_file(self, address: Address, path: pathlib.Path) -> str:
        path.write_bytes(self.made[address])
        return self.head(address).version

    def head(self, address: Address) -> Stat:
        version = hashlib.md5(str(address).encode(), usedforsecurity=False).hexdigest()
        return Stat(address=address, size=len(self.made[address]), version=version)
