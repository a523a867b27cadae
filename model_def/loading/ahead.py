"""A data set that fetches the objects of a whole batch together, and those of the batches that come after it.

Only bytes move earlier: nothing is decoded, and no random number is drawn. So the samples stay what they were.
"""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mmdet.datasets.samplers import GroupMultiSourceSampler
from torch.utils.data import DataLoader, get_worker_info

from model_def.loading.drawn import fetch_drawn
from model_def.loading.stores import paths, store_of
from model_def.storage.backend import StoreBackend
from model_def.storage.register import register

# Their samplers draw from generators of their own, but for one: to ask them earlier changes nothing.
QUIET = ("torch.utils.data.", "mmengine.dataset.", "mmdet.datasets.samplers.")


class Batch(list[Any]):
    """The indices of a batch. `coming` are those that the same worker gets next."""

    coming: tuple[Any, ...] = ()


def with_coming(batches: Iterable[Any], *, workers: int, depth: int) -> Iterator[Batch]:
    """Each batch with the indices of the `depth` batches that its worker gets after it.

    Args:
        batches: dealt to the workers in turn; asked for `depth * workers` batches early.
    """
    waiting: collections.deque[Any] = collections.deque()
    for batch in batches:
        waiting.append(batch)
        if len(waiting) > depth * workers:
            yield _first(waiting, workers)
    while waiting:
        yield _first(waiting, workers)


def _first(waiting: collections.deque[Any], workers: int) -> Batch:
    later = itertools.islice(waiting, workers, None, workers)
    batch = Batch(waiting[0])
    batch.coming = tuple(index for indices in later for index in indices)
    waiting.popleft()
    return batch


def depth(dataloader: DataLoader[Any]) -> int:
    """How many batches ahead each worker should know: 0 unless the images are in a store and the order may be asked."""
    store, sampler = store_of(dataloader.dataset), dataloader.batch_sampler
    if store is None or not _is_quiet(sampler) or not _is_quiet(getattr(sampler, "sampler", None)):
        return 0
    return math.ceil(4 * store.options.threads / max(dataloader.batch_size or getattr(sampler, "batch_size", 1), 1))


def _is_quiet(sampler: Any) -> bool:
    return type(sampler).__module__.startswith(QUIET) and not isinstance(sampler, GroupMultiSourceSampler)


def fetch_ahead(dataset: Any) -> None:
    """Let this process's copy of `dataset` fetch ahead, if its images are in a store."""
    store = store_of(dataset)
    if store is not None and not hasattr(dataset, "__getitems__"):
        vars(dataset)["__getitems__"] = _Together(dataset, store)  # what torch's fetcher looks for
        fetch_drawn(dataset, store)


def fetch_ahead_in_worker() -> None:
    """The same in a worker process, for its own copy."""
    register()  # a spawned one has imported only what it was sent
    if info := get_worker_info():
        fetch_ahead(info.dataset)


class _Together:
    """A whole batch of samples."""

    def __init__(self, dataset: Any, store: StoreBackend) -> None:
        self._dataset = dataset
        self._store = store
        self._told: list[Any] = []  # on their way, or waiting for their turn

    def __call__(self, indices: Any) -> list[Any]:
        self._start([index for index in indices if index not in self._told])
        samples = [self._dataset[index] for index in indices]
        self._told = [index for index in self._told if index not in indices]
        coming = getattr(indices, "coming", ())[: self._store.ahead_at_most]
        new = [index for index in coming if index not in self._told]
        # Many at a time, now and then: a request costs half the CPU time if it comes right after another.
        if 2 * len(new) >= len(coming):
            self._start(new)
        return samples

    def _start(self, indices: list[Any]) -> None:
        self._store.fetch_ahead(path for index in indices for path in paths(self._dataset, index))
        self._told += indices


class AheadOf:
    """A batch sampler that tells each worker its `depth` coming batches: so many more are drawn ahead."""

    def __init__(self, batch_sampler: Any, *, workers: int = 1, depth: int = 0) -> None:
        self._batch_sampler, self._workers, self._depth = batch_sampler, workers, depth

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._batch_sampler, name)

    def __len__(self) -> int:
        return len(self._batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        # Nothing may happen before the first `next`: with workers, torch asks for two iterators and drops the first.
        drawn = self._draw()
        return with_coming(drawn, workers=self._workers, depth=self._depth) if self._depth else drawn

    def _draw(self) -> Iterator[Any]:
        yield from self._batch_sampler


def looking_ahead(dataloader: DataLoader[Any]) -> DataLoader[Any]:
    """Make a built dataloader fetch ahead, if its images are in a store; it is the same object."""
    if store_of(dataloader.dataset) is None:
        return dataloader
    workers = max(dataloader.num_workers, 1)
    sampler = AheadOf(dataloader.batch_sampler, workers=workers, depth=depth(dataloader))
    # torch forbids a new batch sampler because a started iterator would not see it; none has been started here.
    object.__setattr__(dataloader, "batch_sampler", sampler)
    dataloader.worker_init_fn = _Starting(dataloader.worker_init_fn)
    if not dataloader.num_workers:
        fetch_ahead(dataloader.dataset)
    return dataloader


class _Starting:
    """A `worker_init_fn` that lets the worker fetch ahead."""

    def __init__(self, seed: Callable[[int], None] | None) -> None:
        self._seed = seed

    def __call__(self, worker: int) -> None:
        if self._seed is not None:
            self._seed(worker)
        fetch_ahead_in_worker()
