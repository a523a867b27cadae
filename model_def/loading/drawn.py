"""What is drawn while a sample is made, fetched together: a mosaic's further images, the frames of a video.

Nobody can know them earlier. They are drawn from the worker's own random numbers, between the draws of the
augmentations before and after them, whose number depends on what the images show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mmcv.transforms import TransformBroadcaster

from model_def.loading.memory import wrapped
from model_def.loading.stores import paths
from model_def.storage.address import is_remote
from model_def.storage.backend import StoreBackend

MOST = 256  # frames of one video that are under way at a time


def fetch_drawn(dataset: Any, store: StoreBackend) -> None:
    """Let this process's copy of `dataset` fetch together what its transforms draw."""
    for inner in _inside(dataset):
        pipeline = getattr(inner, "pipeline", None)
        steps = getattr(pipeline, "transforms", pipeline)
        if isinstance(steps, list):
            _prepare(steps, store)


def _prepare(steps: list[Any], store: StoreBackend) -> None:
    for step in steps:
        if hasattr(step, "get_indexes"):
            vars(step)["get_indexes"] = _Drawing(step.get_indexes, store)
    frames = [isinstance(step, TransformBroadcaster) for step in steps]
    if any(frames):
        steps.insert(frames.index(True), _Frames(store))


def _inside(dataset: Any) -> Iterator[Any]:
    """The data set and those that it wraps."""
    yield dataset
    for inner in wrapped(dataset):
        yield from _inside(inner)


class _Drawing:
    """A transform's `get_indexes` that begins to fetch what it has drawn."""

    def __init__(self, draw: Callable[[Any], Any], store: StoreBackend) -> None:
        self._draw, self._store = draw, store

    def __call__(self, dataset: Any) -> Any:
        drawn = self._draw(dataset)
        indices = drawn if isinstance(drawn, Sequence) else [drawn]
        self._store.fetch_ahead(path for index in indices for path in paths(dataset, index))
        return drawn


class _Frames:
    """A step of a pipeline, before those that load the frames."""

    def __init__(self, store: StoreBackend) -> None:
        self._store = store

    def __call__(self, results: Mapping[str, Any]) -> Mapping[str, Any]:
        listed = results.get("img_path")
        frames = listed[:MOST] if isinstance(listed, list) else []
        self._store.fetch_ahead(path for path in frames if is_remote(path))
        return results
