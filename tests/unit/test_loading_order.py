"""The order of the batches goes on behind any batch, for each kind of sampler that mmdet has, however it is skipped."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
from mmdet.datasets.samplers import (
    AspectRatioBatchSampler,
    ClassAwareSampler,
    GroupMultiSourceSampler,
    MultiDataAspectRatioBatchSampler,
    MultiSourceSampler,
)
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import BatchSampler

from model_def.loading.order import Order
from model_def.state.plain import plain


class Images:
    """23 images of two sizes, whose annotations are counted when they are read."""

    def __init__(self, number: int = 23) -> None:
        self.sizes = [random.Random(index).choice([(4, 3), (3, 4)]) for index in range(number)]
        self.metainfo = {"classes": ("a", "b")}
        self.read = 0

    def __len__(self) -> int:
        return len(self.sizes)

    def get_data_info(self, index: int) -> dict[str, Any]:
        self.read += 1
        width, height = self.sizes[index]
        return {"width": width, "height": height}

    def get_dataset_source(self, index: int) -> int:
        return index % 2

    def get_cat_ids(self, index: int) -> list[int]:
        return [index % 2]


class Two:
    """Two data sets as one."""

    def __init__(self) -> None:
        self.datasets = [Images(9), Images(14)]
        self.cumulative_sizes = [9, 23]

    def __len__(self) -> int:
        return 23


KINDS = {
    "plain": lambda: BatchSampler(DefaultSampler(Images(), seed=3), 4, False),
    "endless": lambda: BatchSampler(InfiniteSampler(Images(), seed=3), 4, False),
    "by class": lambda: BatchSampler(ClassAwareSampler(Images(), seed=3), 4, False),
    "by ratio": lambda: AspectRatioBatchSampler(DefaultSampler(Images(), seed=3), 4),
    "by ratio, endless": lambda: AspectRatioBatchSampler(InfiniteSampler(Images(), seed=3), 4),
    "by ratio, one by one": lambda: AspectRatioBatchSampler(DefaultSampler(Images(), seed=3), 1),
    "by ratio and source": lambda: MultiDataAspectRatioBatchSampler(
        DefaultSampler(Images(), seed=3), [4, 2], 2, drop_last=False
    ),
    "of two sources": lambda: BatchSampler(MultiSourceSampler(Two(), 4, [1, 3], seed=3), 4, False),
    "of two sources by group": lambda: BatchSampler(GroupMultiSourceSampler(Two(), 4, [1, 3], seed=3), 4, False),
}
ENDLESS = 20  # so many batches are enough


def drawn(order: Any, number: int = ENDLESS) -> list[list[int]]:
    """The batches, with a step between each two that uses numpy's random numbers, as an augmentation may."""
    batches = []
    for indices in itertools.islice(order, number):
        batches.append([int(index) for index in indices])
        np.random.rand()
    return batches


@pytest.mark.parametrize("ahead", [0, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_any_place(kind, ahead):
    """`ahead` batches have been dealt to workers and not been used."""
    np.random.seed(1)
    whole = drawn(KINDS[kind]())
    for place in range(len(whole)):
        np.random.seed(1)
        first, rest = Order(KINDS[kind]()), []
        batches = iter(first)
        for _ in range(min(place + ahead, len(whole))):
            next(batches)
            np.random.rand()
        for _ in range(place):
            first.used()
        second = Order(KINDS[kind]())
        second.resume(plain(first.state_dict(), where="order"), blanks=2)
        waiting = len(first.state_dict()["waiting"])
        for indices in itertools.islice(second, 2 + len(whole) - place):
            rest.append([int(index) for index in indices])
            if len(rest) > 2 + waiting:  # what had been dealt draws nothing again
                np.random.rand()
        assert rest == [[], [], *whole[place:]], place


def test_a_second_resume():
    whole = list(KINDS["by ratio"]())
    state = None
    for place in range(len(whole) - 1):
        order = Order(KINDS["by ratio"]())
        if state is not None:
            order.resume(state, blanks=0)
        assert next(iter(order)) == whole[place]
        order.used()
        state = plain(order.state_dict(), where="order")


@pytest.mark.parametrize("kind", ["plain", "by ratio"])
def test_a_number_alone(kind):
    """What a stock checkpoint knows: the batches trained, over epochs."""
    epochs = []
    for epoch in range(3):
        sampler = KINDS[kind]()
        sampler.sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    order = Order(KINDS[kind]())
    assert order.skip(len(epochs[0]) + len(epochs[1]) + 3, workers=2) == 2
    assert list(order) == [[], *epochs[2][3:]]


def test_annotations_are_not_read_again():
    order = Order(AspectRatioBatchSampler(InfiniteSampler(Images(), seed=3), 4))
    batches = iter(order)
    for _ in range(1000):
        next(batches)
        order.used()
    other = Images()
    resumed = Order(AspectRatioBatchSampler(InfiniteSampler(other, seed=3), 4))
    resumed.resume(order.state_dict(), blanks=0)
    assert next(iter(resumed)) == next(batches)
    assert other.read <= 8


def test_the_samplers_parts_are_still_there():
    order = Order(KINDS["by ratio"]())
    assert isinstance(order.sampler, DefaultSampler)
    assert (order.batch_size, len(order)) == (4, 6)
