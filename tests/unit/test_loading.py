"""The loader's place: whatever batch a run is cut at, the rest of it is what it would have been."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler, worker_init_fn
from torch.utils.data import DataLoader, Dataset, Sampler

from model_def.errors import WeightsError
from model_def.loading.loader import PlacedLoader, placed
from model_def.rng import rng_state, set_rng_state
from model_def.state.plain import plain

EPOCHS, BATCHES, BATCH = 3, 5, 2


class Numbers(Dataset):
    """Each sample is its index and a random number of each generator, and how many samples this worker has made."""

    def __init__(self) -> None:
        self.made = Counter()
        self.pipeline = self.made

    def __len__(self) -> int:
        return BATCHES * BATCH

    def __getitem__(self, index: int) -> list[float]:
        return [index, random.random(), np.random.rand(), torch.rand(1).item(), self.made({})["made"]]


class Counter:
    """A transform of a user's, with a state."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        self.count += 1
        return {**results, "made": self.count}

    def state_dict(self) -> dict[str, int]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.count = state["count"]


class ShuffledHere(Sampler):
    """Shuffles with the process's own random numbers."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        return iter(torch.randperm(len(self.dataset)).tolist())


def build(sampler: type, workers: int, persistent: bool, *, waits: bool, seeds: bool = True) -> PlacedLoader:
    dataset = Numbers()
    loader = DataLoader(
        dataset,
        batch_size=BATCH,
        sampler=sampler(dataset, seed=3),
        num_workers=workers,
        persistent_workers=persistent,
        collate_fn=list,
        worker_init_fn=functools.partial(worker_init_fn, num_workers=workers, rank=0, seed=5) if seeds else None,
    )
    return placed(loader, waits=waits)


def seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def epochs(loader: PlacedLoader, *, done: int, state: Any = None, rng: Any = None) -> Iterator[tuple[Any, float]]:
    """Batches, each with a random number of this process's that a step draws; as the epoch loop goes."""
    for epoch in range(done // BATCHES, EPOCHS):
        middle = done % BATCHES > 0
        if state is not None:
            loader.resume(state, middle=middle)
        if rng is not None and not middle:
            set_rng_state(rng)
        if epoch == 2 and loader.persistent_workers:
            loader._iterator = None  # as mmdet's hooks do when they switch the pipeline
        batches = iter(loader)
        if rng is not None and middle:
            set_rng_state(rng)
        state = rng = None
        for batch in batches:
            yield batch, torch.rand(1).item()
            done += 1


@pytest.mark.parametrize(
    ("sampler", "workers", "persistent", "seeds"),
    [
        (DefaultSampler, 0, False, True),
        (DefaultSampler, 1, False, True),
        (DefaultSampler, 2, False, True),
        (DefaultSampler, 2, True, True),
        (DefaultSampler, 3, True, True),
        (DefaultSampler, 2, False, False),
        (ShuffledHere, 0, False, True),
        (ShuffledHere, 2, True, False),
    ],
)
def test_any_cut_goes_on(sampler, workers, persistent, seeds):
    seed_all(1)
    loader = build(sampler, workers, persistent, waits=False, seeds=seeds)
    whole, states = [], []
    for step in epochs(loader, done=0):
        whole.append(step)
        states.append((plain(loader.state_dict(), where="loader"), rng_state()))
    for done in range(1, EPOCHS * BATCHES):
        resumed = build(sampler, workers, persistent, waits=True, seeds=seeds)
        state, rng = states[done - 1]
        seed_all(7)
        rest = []
        for step in epochs(resumed, done=done, state=state, rng=rng):
            rest.append(step)
            if len(rest) == 7:  # far enough: an epoch later everything has been used
                break
        assert rest == whole[done : done + 7], f"cut at {done}"
        del resumed


@pytest.mark.parametrize("workers", [0, 2])
def test_a_second_cut_goes_on(workers):
    seed_all(1)
    whole = list(epochs(build(DefaultSampler, workers, False, waits=False), done=0))
    seed_all(1)
    done, state, rng = 0, None, None
    got = []
    for pieces in (2, 2, 3, 8):
        loader = build(DefaultSampler, workers, False, waits=state is not None)
        for step, _ in zip(epochs(loader, done=done, state=state, rng=rng), range(pieces), strict=False):
            got.append(step)
            state, rng = plain(loader.state_dict(), where="loader"), rng_state()
        done += pieces
    assert got == whole


def test_no_used_sample_is_loaded_again():
    loader = build(InfiniteSampler, 0, False, waits=False)
    for _, _ in zip(iter(loader), range(7), strict=False):
        state = plain(loader.state_dict(), where="loader")
    resumed = build(InfiniteSampler, 0, False, waits=True)
    resumed.resume(state, middle=True)
    before = state["workers"][0]["memory"]["transforms"][0]["count"]
    next(iter(resumed))
    assert before == 7 * BATCH
    assert resumed.dataset.made.count == before + BATCH


@pytest.mark.parametrize("workers", [0, 2])
def test_only_a_number_is_known(workers):
    """A stock checkpoint's run goes on behind that many batches, in the epoch that they end in."""
    whole = build(DefaultSampler, workers, False, waits=False)
    whole.set_epoch(1)
    expected = [[sample[0] for sample in batch] for batch in whole][2:]
    resumed = build(DefaultSampler, workers, False, waits=True)
    assert list(resumed) == [], "it waits: the iteration loop asks too early"
    assert resumed.skip(BATCHES + 2) == 1
    assert [[sample[0] for sample in batch] for batch in resumed] == expected


def test_other_workers_or_data_are_refused():
    loader = build(DefaultSampler, 0, False, waits=False)
    next(iter(loader))
    state = plain(loader.state_dict(), where="loader")
    with pytest.raises(WeightsError, match="num_workers"):
        build(DefaultSampler, 2, False, waits=True).check(state)
    with pytest.raises(WeightsError, match="batches"):
        build(DefaultSampler, 0, False, waits=True).check({**state, "batches": 9})


def test_it_is_still_the_loader_that_was_built():
    loader = build(DefaultSampler, 2, False, waits=False)
    assert isinstance(loader, DataLoader)
    assert isinstance(loader.sampler, DefaultSampler)
    assert (len(loader), loader.batch_size, loader.batch_sampler.batch_size) == (BATCHES, BATCH, BATCH)
