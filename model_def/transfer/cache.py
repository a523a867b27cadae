"""`data cache`: all objects that an experiment reads come into this host's disk cache, as far as they fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from model_def.errors import DataError
from model_def.storage.address import Address, is_remote
from model_def.storage.cache import Cache
from model_def.storage.cache_evict import BLOCK
from model_def.transfer.crowd import Crowd, told
from model_def.transfer.meter import Meter, sized
from model_def.transfer.presence import backend
from model_def.transfer.references import LISTS, Group

THREADS = 16


class Warming:
    """Fills the cache. `there` and `total` count its objects, also when it was stopped."""

    def __init__(self, groups: Sequence[Group], sizes: Mapping[str, int], console: Console) -> None:
        """`sizes` has the bytes of everything in the groups, which are in the order of their importance."""
        self._objects = {path: group for group in groups for path in group.paths if is_remote(path)}
        self._sizes, self._console = sizes, console
        self.there, self.total = 0, len(self._objects)

    def run(self) -> None:
        """Bring what isn't there, up to the cache's bound, and tell how much that is.

        Raises:
            DataError: the cache is off, or nothing may be added to it.
            UserError: objects that could not be brought or kept.
        """
        if not self._objects:
            self._tell("nothing to bring: all files are on this machine")
            return
        self._require_writable()
        missing = [path for path in self._objects if not self._has(path)]
        self.there = self.total - len(missing)
        fitting = list(self._fitting(missing))
        self._bring(fitting)
        held, whole = (sum(map(self._sizes.__getitem__, paths)) for paths in (self._held(), self._objects))
        self._tell(f"{self.there:,} of {self.total:,} objects are in the cache: {sized(held)} of {sized(whole)}")
        if left := len(missing) - len(fitting):
            self._tell(f"no room for the other {left:,}: `file_client_args.cache.size` is smaller than the data")

    def _bring(self, paths: Sequence[str]) -> None:
        size = sum(self._sizes[path] for path in paths)
        meter = Meter(self._console, what="objects", items=self.total, size=size, done=self.there)

        def bring(path: str) -> None:
            group = self._objects[path]
            store = backend(path, group.backend_args)
            if group.kind == LISTS:
                with store.get_local_path(path):
                    pass
            else:
                store.cache.keeps_all = True  # also where others' objects have to go
                store.get(path)
            if not self._has(path):
                raise OSError(f"the disk cache {store.cache.folder} didn't keep it")
            meter.add(items=1, size=self._sizes[path])

        try:
            with meter:
                failures = Crowd(threads=THREADS).each(paths, bring, tick=meter.show)
        finally:
            self.there = meter.items
        if failures:
            what, again = "objects could not be brought", "look at the reason; then start again, and it goes on"
            raise told(failures, str, what=what, of=len(paths), next_step=again)

    def _fitting(self, missing: Sequence[str]) -> Iterator[str]:
        """The first of them that fit into their cache beside what is there of the others."""
        left = {cache: cache.options.size for cache in map(self._cache, self._objects)}
        for path in self._held():
            left[self._cache(path)] -= self._takes(path)
        for path in missing:
            left[self._cache(path)] -= self._takes(path)
            if left[self._cache(path)] >= 0:
                yield path

    def _held(self) -> list[str]:
        return [path for path in self._objects if self._has(path)]

    def _has(self, path: str) -> bool:
        return self._cache(path).has(Address.parse(path))

    def _takes(self, path: str) -> int:
        """Bytes on the disk, in whole blocks, with the object's head."""
        return (self._sizes[path] // BLOCK + 2) * BLOCK

    def _cache(self, path: str) -> Cache:
        cache: Cache = backend(path, self._objects[path].backend_args).cache
        return cache

    def _require_writable(self) -> None:
        for cache in {self._cache(path) for path in self._objects}:
            if cache.options.enabled and not cache.options.read_only:
                continue
            state, key = ("is read-only", "read_only") if cache.options.enabled else ("is off", "enabled")
            raise DataError(
                what=f"the disk cache {state}",
                where=f"file_client_args.cache.{key}",
                allowed="a cache that may be written",
                next=f"file_client_args.cache.{key}={'false' if key == 'read_only' else 'true'}",
            )

    def _tell(self, text: str) -> None:
        self._console.print(Text(text))
