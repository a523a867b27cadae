"""How a store is used: what mmengine calls `backend_args`, typed."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from model_def.errors import ABSENT, ConfigError, Problem

STORES = {"s3": "s3", "gcs": "gs"}  # the scheme of a backend's addresses
CLIENTS = ("default", "obstore")
CHECKS = ("trust", "revalidate")
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
MOST_THREADS = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class CacheOptions:
    """The disk cache of one host.

    Attributes:
        enabled: whether there is one.
        dir: where it lies; empty for a folder below the user's cache folder.
        size: bytes that it may take.
        read_only: objects are read from it, none is added.
        check: `trust` what it has, or `revalidate` each object's version when it is first used.
    """

    enabled: bool = True
    dir: str = ""
    size: int = 50 * 10**9
    read_only: bool = False
    check: str = "trust"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Of one store.

    Attributes:
        endpoint_url: of a server that speaks S3's or GCS's language; empty for Amazon's or Google's own.
        region: of the bucket; empty for the one of the environment.
        anonymous: ask without credentials, for public buckets.
        threads: requests under way at a time, in each process.
        client: `default` (boto3, google-cloud-storage) or `obstore`.
        cache: the disk cache.
    """

    endpoint_url: str = ""
    region: str = ""
    anonymous: bool = False
    threads: int = 16
    client: str = "default"
    cache: CacheOptions = CacheOptions()

    @classmethod
    def of(cls, backend_args: Mapping[str, Any] | None, *, where: str = "backend_args") -> Options:
        """What `backend_args` say; `backend` itself is passed over. A `size` may be written `50 GB`.

        Raises:
            ConfigError: every unknown key and wrong value, each below `where`.
        """
        given = {key: value for key, value in (backend_args or {}).items() if key != "backend"}
        if problems := list(option_problems(given, where)):
            raise ConfigError.of(problems)
        return cls(**{**_set(given), "cache": CacheOptions(**_read(given.get("cache") or {}))})

    def backend_args(self, backend: str) -> dict[str, Any]:
        """The plain dict for mmengine that `of` reads back; what is as usual stays out of it."""
        cache = _unusual(self.cache)
        return {"backend": backend, **_unusual(self), **({"cache": cache} if cache else {})}


OPTIONS = tuple(field.name for field in dataclasses.fields(Options))


def option_problems(given: Mapping[str, Any], where: str = "") -> Iterator[Problem]:
    """Every unknown key and wrong value, each with its dotted place below `where`."""
    yield from _problems(given, Options, where)
    if isinstance(given.get("cache"), Mapping):
        yield from _problems(given["cache"], CacheOptions, f"{where}.cache".lstrip("."))


def size_in_bytes(written: str | int) -> int | None:
    """`50 GB`, `1.5GiB` or a number, in bytes; None for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?", str(written).strip().upper())
    return int(float(found[1]) * UNITS[found[2]]) if found and found[2] in UNITS else None


def _set(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


def _read(cache: Mapping[str, Any]) -> dict[str, Any]:
    read = _set(cache)
    return {**read, "size": size_in_bytes(read["size"])} if "size" in read else read


def _unusual(options: Options | CacheOptions) -> dict[str, Any]:
    fields = [field.name for field in dataclasses.fields(options) if field.name != "cache"]
    usual = type(options)()
    return {name: getattr(options, name) for name in fields if getattr(options, name) != getattr(usual, name)}


def _problems(given: Mapping[str, Any], kind: type[Options | CacheOptions], where: str) -> Iterator[Problem]:
    known = {field.name: field.default for field in dataclasses.fields(kind)}
    for key, value in _set(given).items():
        at = f"{where}.{key}".lstrip(".")
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else ""
            yield Problem(what="no such option of a store", value=key, where=at, allowed=", ".join(known), next=hint)
        elif allowed := _allowed(key, value, known[key]):
            shown = ABSENT if key == "endpoint_url" and "@" in str(value) else value
            yield Problem(what="not a value for this option of a store", value=shown, where=at, allowed=allowed)


def _allowed(key: str, value: Any, usual: Any) -> str:
    """What the option takes, if `value` is something else."""
    if key == "size":
        size = None if isinstance(value, bool) else size_in_bytes(value)
        return "" if size else "a size above 0, such as 50 GB or 512 MiB"
    if key in ("client", "check"):
        choices = CLIENTS if key == "client" else CHECKS
        return "" if value in choices else " or ".join(choices)
    if key == "threads":
        whole = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_THREADS
        return "" if whole else f"a whole number from 1 to {MOST_THREADS}"
    if key == "endpoint_url":
        return "" if isinstance(value, str) and _plain_url(value) else "http://host:port or https://host, with no user"
    if key == "cache":
        return "" if isinstance(value, Mapping) else "a block with enabled, dir, size, read_only and check"
    return "" if type(value) is type(usual) else {bool: "true or false"}.get(type(usual), "a text")


def _plain_url(url: str) -> bool:
    parts = urlsplit(url)
    return not url or (parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc)
