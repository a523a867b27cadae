"""A torch DataLoader that knows its place: the order of its batches, its workers' random numbers and memory."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from mmengine.logging import print_log
from torch.utils.data import DataLoader

from model_def.errors import WeightsError
from model_def.loading.ahead import depth, fetch_ahead
from model_def.loading.memory import Memory
from model_def.loading.order import Order
from model_def.loading.worker import Delivery, GoingOn, Reporting, read
from model_def.rng import RngState, rng_state, set_rng_state


class PlacedLoader(DataLoader[Any]):
    """mmengine's loader, with a state that another run can go on from. Made by `placed`.

    Seeding, order and workers are torch's and mmengine's own. With each batch its worker tells its state. Batches are
    dealt to the workers in turn, from the first one in each pass: a pass that goes on behind k batches of W workers
    deals k mod W empty ones first, so that each worker stays the one that it was.
    """

    waits: bool  # whether `resume` or `skip` has still to be called
    _order: Order
    _collate: Callable[[Any], Any]
    _seed: Callable[[int], None] | None
    _memory: Memory  # of this process's copy of the data set
    _workers: dict[int, Any]  # what each worker has told last
    _began: RngState  # this process's random numbers where the pass began
    _drew_seed: bool  # whether the pass began with drawing a seed for its workers
    _resumed: tuple[Mapping[str, Any], bool] | None

    @property
    def _iterator(self) -> Any:
        return self.__dict__.get("_iterator")

    @_iterator.setter
    def _iterator(self, iterator: Any) -> None:
        """mmdet's hooks put None here: the next pass starts new workers, and those remember nothing."""
        self.__dict__["_iterator"] = iterator
        if iterator is None and self._resumed is not None and not self._resumed[1]:
            self._resumed = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch promises a class of its own
        """One pass, or what is left of one. No batches while the loader waits for the state of an earlier run."""
        if self.waits:
            return iter(())
        (state, middle), self._resumed = self._resumed or (None, False), None
        if state is not None and middle:
            set_rng_state(state["began"])
            self._order.resume(state["order"], blanks=state["order"]["used"] % max(self.num_workers, 1))
        self._began = rng_state()
        hires = self._iterator is None or not self.persistent_workers
        self._drew_seed = hires if state is None else middle and state["drew_seed"]
        if hires:
            self._prepare_workers(state["workers"] if state else {})
        with contextlib.nullcontext() if self._drew_seed else self._own_seed():
            batches = super().__iter__()
        self._order.catch_up()
        return self._unpacked(batches)

    def _prepare_workers(self, states: Mapping[int, Any]) -> None:
        self._workers = {}
        self._memory = Memory(self.dataset)
        if not self.num_workers:
            fetch_ahead(self.dataset)
        else:
            self._workers = dict(states)
            self.collate_fn = Reporting(self._collate, self._memory)
            self.worker_init_fn = GoingOn(self._seed, self._memory, states)

    @contextlib.contextmanager
    def _own_seed(self) -> Iterator[None]:
        """Torch draws a seed for new workers; here they have started in an earlier run, and it must not be drawn."""
        original, self.generator = self.generator, torch.Generator()
        try:
            yield
        finally:
            self.generator = original

    def _unpacked(self, batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            if isinstance(batch, Delivery):
                if batch.state is None:
                    continue
                self._workers[batch.worker] = batch.state
                self._order.used()
                yield batch.batch
            else:
                self._order.used()
                yield batch

    def state_dict(self) -> dict[str, Any]:
        """The place behind the batch that was given last."""
        workers = {number: read(told) if isinstance(told, bytes) else told for number, told in self._workers.items()}
        return {
            "num_workers": self.num_workers,
            "batches": len(self),
            "began": self._began,
            "drew_seed": self._drew_seed,
            "order": self._order.state_dict(),
            "workers": workers if self.num_workers else {0: {"memory": self._memory.state_dict()}},
        }

    def check(self, state: Mapping[str, Any]) -> None:
        """Refuse the state of other workers or other data.

        Raises:
            WeightsError: with what differs.
        """
        _check(state, "num_workers", self.num_workers, "train_dataloader.num_workers")
        _check(state, "batches", len(self), "train_dataloader")

    def set_epoch(self, epoch: int) -> None:
        """Tell the sampler, as mmengine's loops do."""
        for sampler in (self.sampler, self._order.sampler):
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(epoch)
                return

    def resume(self, state: Mapping[str, Any], *, middle: bool) -> None:
        """Let the next pass go on from `state`.

        Args:
            state: what `state_dict` returned, as plain data.
            middle: whether the pass goes on; else it is the next one, and only what workers keep from pass to pass
                counts.
        """
        self.waits = False
        keeps = middle or self.persistent_workers
        self._resumed = (state, middle) if keeps else None
        if not self.num_workers:  # at once: a hook that switches the pipeline now switches it for real
            Memory(self.dataset).load_state_dict(state["workers"][0]["memory"])

    def skip(self, batches: int) -> int:
        """Let the next pass begin behind `batches` batches of a run that has left no more than their number.

        Returns:
            How many times finite data has been started anew on the way; its sampler is in that epoch then.
        """
        self.waits = False
        return self._order.skip(batches, workers=max(self.num_workers, 1))


def placed(dataloader: DataLoader[Any], *, waits: bool) -> PlacedLoader:
    """Make `dataloader` know its place; it is the same object, for hooks that ask for its parts.

    Args:
        dataloader: as built; nothing has been taken from it.
        waits: whether the state of an earlier run will be given to `resume` (or `skip`) before any batch is needed. A
            loop may ask for an iterator before.
    """
    order = Order(dataloader.batch_sampler, workers=max(dataloader.num_workers, 1), depth=depth(dataloader))
    # torch forbids a new batch sampler because a started iterator would not see it; none has been started here.
    object.__setattr__(dataloader, "batch_sampler", order)
    vars(dataloader).update(
        _order=order,
        _collate=dataloader.collate_fn,
        _seed=dataloader.worker_init_fn,
        waits=waits,
        _workers={},
        _resumed=None,
        _began=rng_state(),
        _drew_seed=False,
        _memory=Memory(dataloader.dataset),
    )
    loader: Any = dataloader
    loader.__class__ = PlacedLoader
    for name in loader._memory.lost:
        message = f"{name} has a cache of its own kind: a run that is stopped and resumed will train on other images"
        print_log(message, logger="current", level=logging.WARNING)
    placed_loader: PlacedLoader = loader
    return placed_loader


def _check(state: Mapping[str, Any], name: str, here: int, where: str) -> None:
    if state[name] != here:
        raise WeightsError(
            what=f"the checkpoint's run had other data loading, so it can't be continued exactly: {name} was",
            value=state[name],
            where=where,
            allowed=f"a checkpoint of a run with {name} = {here}",
            next="resume with the experiment.yaml beside the checkpoints, or start a new run from its weights: "
            "use_pretrained=PATH/model.pth",
        )
