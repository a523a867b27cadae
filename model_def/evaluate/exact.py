"""mmdet rounds most metrics to three digits; here the exact value travels along with the rounded one, and what the
evaluators have counted stays in reach.
"""

from __future__ import annotations

import builtins
import contextlib
from types import ModuleType
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from model_def.evaluate.counted import Counted, nothing_found
from model_def.evaluate.evaluators import LVIS_NAME, substitutes
from model_def.evaluate.kept import Written, handover
from model_def.evaluate.shadow import for_older_numpy, modules_of, numpy_with, shadowed
from model_def.garbage import uncollected


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


class _Unrounded(float):
    """A statistic that mmdet rounds by formatting it, `float(f"{value:.3f}")`: all digits are written instead."""

    formatted: dict[float, float]

    def __format__(self, spec: str) -> str:
        text = format(float(self), spec)
        if not spec.endswith("f"):
            return text
        self.formatted[float(self)] = float(text)
        return repr(float(self))


class _Watch:
    """What a metric's modules see in the place of what rounds; remembers the rounded value of each exact one."""

    def __init__(self, results: Written) -> None:
        self.formatted: dict[float, float] = {}
        self.counted: list[Counted] = []
        self._results = results

    def names(self, module: ModuleType, *, fast: bool) -> dict[str, Any]:
        """What `module` is to see."""
        evaluators = substitutes(module, self.unrounded, self.keep, fast=fast)
        names = {"round": self.round, **evaluators}
        if fast and evaluators:
            names |= self._results.substitutes(vars(module))
        if vars(module).get("np") is np:
            names["np"] = numpy_with(round=self.around, around=self.around)
        if LVIS_NAME in names:  # mmdet hands LVIS's results through `float` before it formats them
            names["float"] = lambda value: value if isinstance(value, _Unrounded) else builtins.float(value)
        return names

    def round(self, number: Any, ndigits: int | None = None) -> Any:
        rounded = builtins.round(number, ndigits)
        return self._watched(rounded, number) if isinstance(rounded, float) else rounded

    def around(self, a: Any, decimals: int = 0) -> Any:
        rounded = np.round(a, decimals)
        return self._watched(rounded, a) if np.ndim(rounded) == 0 else rounded

    def keep(self, counted: Counted | None) -> None:
        self.counted += [counted] if counted else []

    def unrounded(self, value: Any) -> float:
        number = _Unrounded(value)
        number.formatted = self.formatted
        return number

    def _watched(self, rounded: Any, number: Any) -> _Watched:
        result = _Watched(rounded, number)
        result.formatted = self.formatted
        return result

    def exact(self, value: Any) -> Any:
        """A metric with its exact value, if it was rounded."""
        if isinstance(value, RoundedMetric):
            return RoundedMetric(float(value), value.exact)
        if isinstance(value, float) and value in self.formatted:
            return RoundedMetric(self.formatted[value], value)
        return value


def keep_exact(metric: BaseMetric, *, fast: bool = True) -> None:
    """Make `metric.compute_metrics` return `RoundedMetric` wherever it rounds, and add to `metric.counted`.

    Args:
        metric: changed in place.
        fast: whether COCO's and LVIS' matching runs in C++; the digits are the same.
    """
    compute, metric.counted = metric.compute_metrics, []

    def exactly(*results: Any) -> dict[str, Any]:
        watch = _Watch(handover(metric))
        with contextlib.ExitStack() as stack:
            if fast:
                stack.enter_context(uncollected())  # else a million detections are looked through again and again
            for module in modules_of(metric):
                stack.enter_context(shadowed(module, watch.names(module, fast=fast)))
                for helper, names in for_older_numpy(module):
                    stack.enter_context(shadowed(helper, names))
            metrics = compute(*results)
        metric.counted += watch.counted or nothing_found(metric)
        return {name: watch.exact(value) for name, value in metrics.items()}

    metric.compute_metrics = exactly
