"""mmdet rounds most metrics to three digits; here the exact value travels along with the rounded one."""

from __future__ import annotations

import builtins
import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from mmengine.evaluator import BaseMetric


class RoundedMetric(float):
    """A metric as mmdet rounds it, which is what hooks must see, with the `exact` value beside it."""

    exact: float

    def __new__(cls, rounded: float, exact: float) -> RoundedMetric:
        """A float equal to `rounded`."""
        metric = super().__new__(cls, rounded)
        metric.exact = float(exact)
        return metric

    def __reduce__(self) -> tuple[Any, ...]:
        """Keeps `exact` on the way to the other processes."""
        return RoundedMetric, (float(self), self.exact)


class _Watched(RoundedMetric):
    """What the watched `round` returns. mmdet often writes `float(f"{round(value, 3)}")`: formatting gives the exact
    digits, and the rounded value is found again by them."""

    formatted: dict[float, float]

    def __format__(self, spec: str) -> str:
        self.formatted[self.exact] = float(self)
        return format(self.exact, spec)


def keep_exact(metric: BaseMetric) -> None:
    """Make `metric.compute_metrics` return `RoundedMetric` wherever it rounds with Python's `round`."""
    module = sys.modules[type(metric).compute_metrics.__module__]
    metric.compute_metrics = functools.partial(_compute_exactly, metric.compute_metrics, module)


def _compute_exactly(compute: Callable[[Any], dict[str, Any]], module: ModuleType, results: Any) -> dict[str, Any]:
    with _watched_round(module) as formatted:
        metrics = compute(results)
    return {name: _with_exact(value, formatted) for name, value in metrics.items()}


@contextlib.contextmanager
def _watched_round(module: ModuleType) -> Iterator[dict[float, float]]:
    """Let `module` see a `round` that remembers; yields the rounded value of each exact value that was formatted."""
    formatted: dict[float, float] = {}

    def watched(number: Any, ndigits: int | None = None) -> Any:
        rounded = builtins.round(number, ndigits)
        if not isinstance(rounded, float):
            return rounded
        result = _Watched(rounded, number)
        result.formatted = formatted
        return result

    module.round = watched  # type: ignore[attr-defined]  # shadows the builtin in this one module
    try:
        yield formatted
    finally:
        del module.round


def _with_exact(value: Any, formatted: dict[float, float]) -> Any:
    if isinstance(value, RoundedMetric):
        return RoundedMetric(float(value), value.exact)
    if isinstance(value, float) and value in formatted:
        return RoundedMetric(formatted[value], value)
    return value
