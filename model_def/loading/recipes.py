"""Caches of augmented images, as mmdet's CachedMosaic and CachedMixUp have, that can be made again.

The images are too large for a checkpoint, dozens for each worker. So a cache notes how each image came about: the
sample, the random numbers where its pipeline began, and what the caches before it on its way held then. With these the
pipeline is run again, up to the cache, when an image is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, SupportsIndex

from model_def.rng import RngState, rng_state, set_rng_state, sharing


class Recipe(NamedTuple):
    """How to make a cached image again.

    Attributes:
        sample: its index in the data set.
        rng: the random numbers where its pipeline began; None if it was cached before any was drawn.
        caches: what each cache before it on its way held then. A recipe holds no images, so these chains are short.
    """

    sample: int
    rng: RngState | None
    caches: tuple[tuple[Recipe, ...], ...]


def _recipe(state: Sequence[Any]) -> Recipe:
    """From the plain tuples of a checkpoint."""
    sample, rng, caches = state
    return Recipe(sample, rng and RngState(*rng), tuple(tuple(map(_recipe, cache)) for cache in caches))


class _Made(BaseException):
    """Ends a pipeline where the wanted image comes by; no transform may catch it."""

    def __init__(self, image: Any) -> None:
        super().__init__()
        self.image = image


class _Entry:
    __slots__ = ("image", "recipe")

    def __init__(self, recipe: Recipe, image: Any = None) -> None:
        self.recipe = recipe
        self.image = image


class Cache(list[Any]):
    """A transform's cache: a list of images, each of which may still have to be made."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self.wants_one = False

    def append(self, image: Any) -> None:
        """Add an image that comes by."""
        if self.wants_one:
            raise _Made(image)
        super().append(_Entry(self._recorder.recipe_for(self), image))

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        entry: Any = super().__getitem__(index)
        if entry.image is None:
            entry.image = self._recorder.make(entry.recipe, self)
        return entry.image

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """How to make the images."""
        return tuple(entry.recipe for entry in super().__iter__())

    def fill(self, recipes: Iterable[Recipe]) -> None:
        """Hold these images."""
        super().__setitem__(slice(None), [_Entry(recipe) for recipe in recipes])

    def take(self) -> list[_Entry]:
        """The entries, to be put back by `put`."""
        return list(super().__iter__())

    def put(self, entries: list[_Entry]) -> None:
        """Hold what `take` returned."""
        super().__setitem__(slice(None), entries)


class Recorder:
    """The first step of a pipeline with caches: it notes how each sample begins.

    Args:
        dataset: whose pipeline it is.
        caching: the pipeline's transforms that have a cache, in order.
    """

    def __init__(self, dataset: Any, caching: Sequence[Any]) -> None:
        self._dataset = dataset
        self._caches = [Cache(self) for _ in caching]
        for transform, cache in zip(caching, self._caches, strict=True):
            transform.results_cache = cache
        self._begun = Recipe(-1, None, ())

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Changes nothing."""
        rng = sharing(rng_state(), self._begun.rng)
        # A cache's recipes need only the caches before it, so never the last one.
        self._begun = Recipe(int(results["sample_idx"]), rng, tuple(cache.recipes for cache in self._caches[:-1]))
        return results

    def recipe_for(self, cache: Cache) -> Recipe:
        """How the image that arrives at `cache` now came about."""
        caches = self._begun.caches[: self._number(cache)]
        return self._begun._replace(rng=None if rng_state() == self._begun.rng else self._begun.rng, caches=caches)

    def make(self, recipe: Recipe, cache: Cache) -> Any:
        """The image of a recipe; random numbers and caches stay as they are."""
        rng, begun, held = rng_state(), self._begun, [each.take() for each in self._caches]
        if recipe.rng is not None:
            set_rng_state(recipe.rng)
        for each, recipes in zip(self._caches[: self._number(cache)], recipe.caches, strict=True):
            each.fill(recipes)
        cache.wants_one = True
        try:
            self._dataset.prepare_data(recipe.sample)
        except _Made as made:
            return made.image
        finally:
            cache.wants_one = False
            for each, entries in zip(self._caches, held, strict=True):
                each.put(entries)
            self._begun = begun
            set_rng_state(rng)
        raise RuntimeError(f"sample {recipe.sample} did not reach its cache again: the data set has changed")

    def _number(self, cache: Cache) -> int:
        return next(number for number, each in enumerate(self._caches) if each is cache)

    def state_dict(self) -> list[tuple[Recipe, ...]]:
        """The recipes of every cache."""
        return [cache.recipes for cache in self._caches]

    def load_state_dict(self, state: Sequence[Sequence[Any]]) -> None:
        """Hold these recipes' images."""
        for cache, recipes in zip(self._caches, state, strict=True):
            cache.fill(map(_recipe, recipes))
