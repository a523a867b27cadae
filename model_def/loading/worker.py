"""What a worker process tells with each batch, and how it goes on from what it told an earlier run."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch.utils.data import get_worker_info

from model_def.loading.ahead import fetch_ahead_in_worker
from model_def.loading.memory import Memory
from model_def.rng import rng_state, set_rng_state


class Delivery(NamedTuple):
    """A batch on its way from a worker (a named tuple survives torch's pinning of memory).

    Attributes:
        batch: what the collate function returned.
        worker: the number of the worker.
        state: the worker's state behind the batch, pickled; None for an empty batch, which nobody may see.
    """

    batch: Any
    worker: int
    state: bytes | None


class Reporting:
    """A collate function that adds the worker's state."""

    def __init__(self, collate: Callable[[Any], Any], memory: Memory) -> None:
        self._collate = collate
        self._memory = memory

    def __call__(self, samples: Sequence[Any]) -> Delivery:
        info = get_worker_info()
        worker = 0 if info is None else info.id
        if not samples:
            return Delivery(None, worker, None)
        batch = self._collate(samples)
        return Delivery(batch, worker, pickle.dumps({"rng": rng_state(), "memory": self._memory.state_dict()}))


class GoingOn:
    """A `worker_init_fn` that puts a worker where an earlier run's was, behind the seeding.

    Args:
        seed: the loader's own `worker_init_fn`.
        states: the states of the workers that had delivered something.
    """

    def __init__(
        self, seed: Callable[[int], None] | None, memory: Memory, states: Mapping[int, Mapping[str, Any]]
    ) -> None:
        self._seed = seed
        self._memory = memory
        self._states = states

    def __call__(self, worker: int) -> None:
        if self._seed is not None:
            self._seed(worker)
        fetch_ahead_in_worker()
        if worker in self._states:
            self._memory.load_state_dict(self._states[worker]["memory"])
            set_rng_state(self._states[worker]["rng"])


def read(state: bytes) -> dict[str, Any]:
    """What a worker of this process has sent (never what a file holds)."""
    content: dict[str, Any] = pickle.loads(state)
    return content
