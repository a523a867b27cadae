"""The place of an object: `s3://bucket/key` or `gs://bucket/key`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

SCHEMES = ("s3", "gs")


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Address:
    """A bucket and a key (or a prefix of keys; empty for the bucket itself).

    Keys are taken as they are: an object store has no folders, so `a//b`, `a/./b` and `a/b` are three objects.
    """

    scheme: str
    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, url: str | Path) -> Address:
        """The address that `url` names.

        Raises:
            ValueError: it has another scheme, or no bucket.
        """
        scheme, separator, rest = str(url).partition("://")
        bucket, _, key = rest.partition("/")
        if scheme not in SCHEMES or not separator or not bucket:
            raise ValueError(f"{str(url)!r} is not s3://bucket/key or gs://bucket/key")
        return cls(scheme=scheme, bucket=bucket, key=key)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"

    def __truediv__(self, more: str) -> Address:
        """The key `more` below this one: exactly one slash lies between them."""
        key = f"{self.key.rstrip('/')}/{more.lstrip('/')}" if self.key else more.lstrip("/")
        return dataclasses.replace(self, key=key)

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rstrip("/").rpartition("/")[2]

    @property
    def parent(self) -> Address:
        """The prefix above the last part of the key, without a slash at its end."""
        return dataclasses.replace(self, key=self.key.rstrip("/").rpartition("/")[0])

    @property
    def folder(self) -> Address:
        """The prefix that all keys below this one begin with: the key with a slash at its end."""
        return dataclasses.replace(self, key=f"{self.key.rstrip('/')}/" if self.key.strip("/") else "")


def is_remote(path: object) -> bool:
    """Whether `path` names an object of a store."""
    return isinstance(path, str | Path) and str(path).startswith(tuple(f"{scheme}://" for scheme in SCHEMES))
