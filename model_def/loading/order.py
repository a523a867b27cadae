"""The order of the batches: which indices were drawn from the sampler, and which of them have been used."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from model_def.loading.ahead import AheadOf
from model_def.loading.places import place_of


class Order(AheadOf):
    """A batch sampler that knows its place and goes on from one: indices only, no samples.

    Workers are dealt batches ahead of their use. These are part of the place, so that going on draws nothing anew from
    a sampler that uses the process's own random numbers.
    """

    def __init__(self, batch_sampler: Any, *, workers: int = 1, depth: int = 0) -> None:
        super().__init__(batch_sampler, workers=workers, depth=depth)
        self._place = place_of(batch_sampler)
        self._drawn = 0
        self._waiting: collections.deque[Any] = collections.deque()
        self._resumed: tuple[int, Mapping[str, Any], Iterator[Any] | None] | None = None

    def _draw(self) -> Iterator[Any]:
        resumed, self._resumed = self._resumed, None
        self._drawn = 0
        self._waiting.clear()
        if resumed is None:
            batches = self._place.behind(None, 0)
        else:
            blanks, state, ahead = resumed
            yield from ([] for _ in range(blanks))
            batches = ahead or self._place.behind(state["place"], state["drawn"])
            self._drawn = state["drawn"]
            for indices in state["waiting"]:
                self._waiting.append(indices)
                yield indices
        for indices in batches:
            self._drawn += 1
            self._place.drew(indices)
            self._waiting.append(indices)
            yield indices

    def used(self) -> None:
        """The oldest batch that was drawn has been used."""
        self._waiting.popleft()

    def state_dict(self) -> dict[str, Any]:
        """The place in this pass."""
        return {
            "drawn": self._drawn,
            "used": self._drawn - len(self._waiting),
            "waiting": list(self._waiting),
            "place": self._place.state_dict(),
        }

    def resume(self, state: Mapping[str, Any], *, blanks: int) -> None:
        """Begin the next pass where `state` was, behind `blanks` empty batches."""
        self._resumed = (blanks, state, None)

    def catch_up(self) -> None:
        """Pass over what was drawn now, if that has not been done: what the sampler draws for it belongs here."""
        if self._resumed is not None:
            blanks, state, ahead = self._resumed
            self._resumed = (blanks, state, ahead or self._place.behind(state["place"], state["drawn"]))

    def skip(self, batches: int, *, workers: int) -> int:
        """Begin the next pass behind so many batches; returns how often finite data was started anew on the way."""
        epoch = 0
        while True:
            ahead = self._place.behind(None, 0)
            taken = 0
            for indices in itertools.islice(ahead, batches):
                self._place.drew(indices)
                taken += 1
            if taken == batches:
                break
            batches -= taken
            epoch += 1
            self._batch_sampler.sampler.set_epoch(epoch)
        self._resumed = (batches % workers, {"drawn": batches, "waiting": (), "place": None}, ahead)
        return epoch
