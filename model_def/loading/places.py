"""How a batch sampler is brought behind what was drawn from it: indices only, and quickly."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

from mmdet.datasets.samplers import AspectRatioBatchSampler, GroupMultiSourceSampler, MultiDataAspectRatioBatchSampler
from mmdet.datasets.samplers.batch_sampler import TrackAspectRatioBatchSampler


def place_of(batch_sampler: Any) -> Walked:
    """The quickest way for this batch sampler."""
    if isinstance(getattr(batch_sampler, "sampler", None), GroupMultiSourceSampler):
        return Grouped(batch_sampler)
    if type(batch_sampler) in (AspectRatioBatchSampler, TrackAspectRatioBatchSampler, MultiDataAspectRatioBatchSampler):
        return Bucketed(batch_sampler)
    return Walked(batch_sampler)


class Walked:
    """Draws again what was drawn before."""

    def __init__(self, batch_sampler: Any) -> None:
        self._batch_sampler = batch_sampler

    def begin(self) -> None:
        """A pass begins."""

    def drew(self, indices: Any) -> None:
        """A batch was drawn."""

    def state_dict(self) -> Any:
        """What is known of the place besides the number of batches."""
        return None

    def behind(self, state: Any, drawn: int) -> Iterator[Any]:
        """The batches of a pass behind the first `drawn` ones."""
        self.begin()
        batches: Iterator[Any] = iter(self._batch_sampler)
        for indices in itertools.islice(batches, drawn):
            self.drew(indices)
        return batches


class Grouped(Walked):
    """mmdet's GroupMultiSourceSampler draws each batch's group from numpy's global generator.

    Between these numbers come whatever else draws there. So its place is not a number of batches, but how many indices
    were taken from each source of each group.
    """

    def __init__(self, batch_sampler: Any) -> None:
        super().__init__(batch_sampler)
        sampler = batch_sampler.sampler
        self._sources = [[_Counted(indices) for indices in group.values()] for group in sampler.group_source2inds]
        sampler.group_source2inds = [dict(enumerate(group)) for group in self._sources]

    def state_dict(self) -> list[list[int]]:
        """The numbers of indices."""
        return [[source.taken for source in group] for group in self._sources]

    def behind(self, state: Any, drawn: int) -> Iterator[Any]:
        """Without a random number."""
        if state is None:
            return super().behind(state, drawn)
        for source, taken in zip(itertools.chain(*self._sources), itertools.chain(*state), strict=True):
            take(source, taken - source.taken)
        batches: Iterator[Any] = iter(self._batch_sampler)
        return batches


class Bucketed(Walked):
    """mmdet's batch samplers by aspect ratio read the annotations of each image: drawing again would take seconds.

    Noted are the indices that wait in the buckets, behind the last batch that came from a full one. The rest at the end
    of an epoch is drawn again.
    """

    def __init__(self, batch_sampler: Any) -> None:
        super().__init__(batch_sampler)
        size = batch_sampler.batch_size
        self._sizes = [size, size] if isinstance(size, int) else [each for each in size for _ in range(2)]
        self.begin()

    def begin(self) -> None:
        """A pass begins with empty buckets."""
        self._full = self._yielded = 0
        self._waiting: list[list[Any]] = []

    def drew(self, indices: Any) -> None:
        """Note the buckets, if it came from a full one: the sampler empties that only when it goes on."""
        pairs = list(zip(self._buckets, self._sizes, strict=True))
        if any(len(bucket) == size and bucket == indices for bucket, size in pairs):
            self._full += 1
            self._yielded += len(indices)
            self._waiting = [[] if bucket == indices else list(bucket) for bucket, _ in pairs]

    @property
    def _buckets(self) -> list[list[Any]]:
        several = isinstance(self._batch_sampler, MultiDataAspectRatioBatchSampler)
        buckets: list[list[Any]] = getattr(self._batch_sampler, "_buckets" if several else "_aspect_ratio_buckets")
        return buckets

    def state_dict(self) -> dict[str, Any]:
        """The buckets, and how many batches and indices had come from full ones."""
        return {"full": self._full, "yielded": self._yielded, "waiting": self._waiting}

    def behind(self, state: Any, drawn: int) -> Iterator[Any]:
        """Without a look at the annotations of what was drawn."""
        if not state or not state["full"]:
            return super().behind(state, drawn)
        self._full, self._yielded, self._waiting = state["full"], state["yielded"], state["waiting"]
        for bucket, waiting in zip(self._buckets, self._waiting, strict=True):
            bucket[:] = waiting
        batches = self._from(self._yielded + sum(map(len, self._waiting)))
        take(batches, drawn - self._full)
        return batches

    def _from(self, index: int) -> Iterator[Any]:
        """The batches, where the sampler's first indices have been taken."""
        original = self._batch_sampler.sampler
        self._batch_sampler.sampler = _late(original, index)
        batches = iter(self._batch_sampler)
        first = list(itertools.islice(batches, 1))  # here it asks the sampler for an iterator
        self._batch_sampler.sampler = original
        return itertools.chain(first, batches)


def _late(sampler: Any, index: int) -> Any:
    """A copy of a sampler that leaves its first indices out."""
    kind = type(sampler)
    late = copy.copy(sampler)
    late.__class__ = type(
        kind.__name__, (kind,), {"__iter__": lambda each: itertools.islice(kind.__iter__(each), index, None)}
    )
    return late


class _Counted:
    """An iterator that counts."""

    def __init__(self, items: Iterator[int]) -> None:
        self._items = items
        self.taken = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        item = next(self._items)
        self.taken += 1
        return item


def take(items: Iterator[Any], number: int) -> int:
    """Take so many items, or all; returns how many there were."""
    return sum(1 for _ in itertools.islice(items, number))
