"""What a client of an object store does, and what it raises."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Protocol, Self

from model_def.storage.address import Address


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blob:
    """An object's bytes, whole and checked, and its version (S3's ETag, GCS's generation)."""

    body: bytes
    version: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stat:
    """An object without its bytes; of a folder, the key ends with a slash and the size is 0.

    `md5` is in hex, where the store tells it beside the version (GCS; S3's version often is one).
    """

    address: Address
    size: int
    version: str
    md5: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether this is a common prefix of keys, not an object."""
        return self.address.key.endswith("/")


class Client(Protocol):
    """Works in every process and thread, whoever made it: each process gets connections of its own.

    All methods raise a `StorageError`: `ObjectMissing`, `BucketMissing`, `AccessDenied` and so on.
    """

    def get(self, address: Address) -> Blob:
        """The whole object, checked; asked for again where it came damaged."""

    def get_file(self, address: Address, path: Path) -> str:
        """Write the object to the local `path`, without holding all of it in memory, and return its version."""

    def head(self, address: Address) -> Stat:
        """The object's size and version."""

    def list(self, address: Address, *, deep: bool = True, limit: int | None = None) -> Iterator[Stat]:
        """The objects whose keys begin with `address.key`, in the order of their keys.

        Args:
            address: its key is a prefix as it is; `address.folder` for what lies below a folder.
            deep: False stops at the next slash: what lies below is one `Stat` that is a folder.
            limit: at most so many.
        """

    def put(self, address: Address, body: bytes) -> None:
        """Write an object, or write over it."""

    def put_file(self, address: Address, path: Path) -> None:
        """Write the local file `path` as an object."""

    def remove(self, address: Address) -> None:
        """Delete the object; it is no error if there is none."""

    def copy(self, source: Address, target: Address) -> None:
        """Copy an object inside the store."""


class StorageError(OSError):
    """A store can't do what was asked. The text alone says all: only that crosses from a DataLoader's worker.

    Attributes:
        url: of the object or bucket.
        says: what is wrong, in a few words.
        next: what the user can do.
        passing: whether asking again may help.
    """

    says: ClassVar[str] = "the store refuses the request"
    next: ClassVar[str] = ""
    passing: ClassVar[bool] = False

    def __init__(self, message: str, *, url: str = "") -> None:
        super().__init__(message)
        self.url = url

    @classmethod
    def of(cls, address: Address, reason: str, *, server: str = "") -> Self:
        """The error about `address`; `reason` is the server's or the library's own word for it."""
        return cls(f"{cls.says} ({reason}{f' from {server}' if server else ''}): {address}", url=str(address))


class ObjectMissing(StorageError, FileNotFoundError):
    """There is no object of this key."""

    says = "no such object"
    next = "correct the path, or upload the file"


class BucketMissing(StorageError, FileNotFoundError):
    """There is no bucket of this name."""

    says = "no such bucket"
    next = "correct the bucket's name (and endpoint_url, if the bucket is on a server of your own)"

    @classmethod
    def of(cls, address: Address, reason: str, *, server: str = "") -> Self:
        """The error about the bucket of `address`."""
        return super().of(dataclasses.replace(address, key=""), reason, server=server)


class AccessDenied(StorageError, PermissionError):
    """The server knows who asks, or doesn't, and refuses."""

    says = "permission denied"
    next = (
        "use credentials that may read and list this bucket (s3:GetObject and s3:ListBucket; Storage Object Viewer); "
        "to those that may not list it, a missing object looks forbidden too"
    )


class NoCredentials(StorageError, PermissionError):
    """The library finds no credentials, or can't use those that it finds."""

    says = "no usable credentials"
    next = "set the library's credentials, or write `anonymous: true` for a public bucket"


class ClockSkew(StorageError):
    """The clocks of this machine and the server differ too much for a signature."""

    says = "this machine's clock and the server's differ too much"
    next = "set this machine's clock (`timedatectl set-ntp true`)"


class Refused(StorageError):
    """The server or its library says no for another reason, and would again."""

    next = "check the bucket's name, the key and endpoint_url (http://host:port); see what the server's own log says"


class WrongRegion(StorageError):
    """The bucket is in another region than the request went to."""

    says = "the bucket is in another region"
    next = "write its `region`: `aws s3api get-bucket-location --bucket NAME` tells it"


class Unreachable(StorageError, ConnectionError):
    """Nobody answers at the endpoint: not a word came."""

    says = "nobody answers at the endpoint"
    next = "check endpoint_url, the network and proxies; is the server up?"
    passing = True


class Interrupted(StorageError, ConnectionError):
    """The server answered, but not to the end: it is too busy, the connection was cut, no bytes came for too long."""

    says = "the store broke off"
    next = "the server is busy or the network bad: try again later, or with fewer `threads`"
    passing = True


class Damaged(StorageError):
    """The bytes that came are not the ones that are stored."""

    says = "the bytes were damaged on their way"
    next = "check the network between (proxies); if it stays so, upload the object again"
    passing = True
