"""What transforms remember from one sample to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmdet.datasets.transforms import CachedMixUp, CachedMosaic

from model_def.loading.recipes import Cache, Recorder

_CACHING = (CachedMosaic, CachedMixUp)


class Memory:
    """The memory of all transforms of a data set.

    It is prepared when it is made: caches of augmented images write down how to make each image again.
    """

    def __init__(self, dataset: Any) -> None:
        self._recorders = list(_recorders(dataset))
        self._stateful = [each for each in transforms(dataset) if hasattr(each, "load_state_dict")]
        self.lost = sorted({type(each).__name__ for each in transforms(dataset) if _forgets(each)})

    def state_dict(self) -> dict[str, Any]:
        """The memory, small and plain but for the states of transforms that have a `state_dict` of their own."""
        return {
            "caches": [recorder.state_dict() for recorder in self._recorders],
            "transforms": [each.state_dict() for each in self._stateful],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from it; a cached image is made again when a transform asks for it."""
        for recorder, caches in zip(self._recorders, state["caches"], strict=True):
            recorder.load_state_dict(caches)
        for each, own in zip(self._stateful, state["transforms"], strict=True):
            each.load_state_dict(own)


def transforms(node: Any) -> Iterator[Any]:
    """Every transform of a data set, a pipeline or a transform, however deep it is wrapped, in order."""
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from transforms(item)
        return
    if callable(node):
        yield node
    for name in ("dataset", "datasets", "pipeline", "transforms"):
        inner = getattr(node, name, None)
        if isinstance(inner, Mapping):  # mmdet's MultiBranch has a pipeline for each branch
            inner = list(inner.values())
        if inner is not None:
            yield from transforms(inner)


def wrapped(dataset: Any) -> list[Any]:
    """The data sets that one wraps itself."""
    found = getattr(dataset, "datasets", None) or [getattr(dataset, "dataset", None)]
    return [inner for inner in found if inner is not None]


def _recorders(dataset: Any) -> Iterator[Recorder]:
    for inner in wrapped(dataset):
        yield from _recorders(inner)
    steps = getattr(getattr(dataset, "pipeline", None), "transforms", None)
    if not isinstance(steps, list):
        return
    if steps and isinstance(steps[0], Recorder):
        yield steps[0]
        return
    caching = [each for each in transforms(steps) if _is_known(each)]
    if caching:
        steps.insert(0, Recorder(dataset, caching))
        yield steps[0]


def _is_known(transform: Any) -> bool:
    """Whether it treats its cache as mmdet's own do: only adds, removes and copies."""
    return any(isinstance(transform, known) and type(transform).transform is known.transform for known in _CACHING)


def _forgets(transform: Any) -> bool:
    cache = getattr(transform, "results_cache", None)
    return isinstance(cache, list) and not isinstance(cache, Cache) and not hasattr(transform, "load_state_dict")
