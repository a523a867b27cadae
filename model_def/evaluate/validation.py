"""One validation: the configured loop runs as it is, Determined's reducer takes its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from determined import pytorch
from mmengine.dist import get_world_size
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner

from model_def.data import data_errors
from model_def.evaluate import together
from model_def.evaluate.exact import RoundedMetric, keep_exact
from model_def.evaluate.expected import expected


def prepare(evaluator: Evaluator, *, fast: bool = True) -> None:
    """Make the evaluators keep exact values, and several processes one evaluation.

    Args:
        evaluator: changed in place.
        fast: whether COCO's and LVIS' matching runs in C++; the digits are the same.
    """
    for metric in evaluator.metrics:
        keep_exact(metric, fast=fast)
    if get_world_size() > 1:
        together.join(evaluator.metrics)


def reported(evaluator: Evaluator, metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as they are reported: exact, under mmengine's names less the evaluator's prefix, none missing.

    Args:
        evaluator: the one that computed them.
        metrics: what a validation loop hands to `after_val_epoch`, such as `{"coco/bbox_mAP": 0.106}`.

    Returns:
        For example `{"bbox_mAP": 0.10634}`. Without any detection mmdet leaves COCO's and LVIS' metrics out: here they
        are 0.
    """
    complete = {name: 0.0 for metric in evaluator.metrics for name in expected(metric)} | dict(metrics)
    short = {name: _without_prefix(name, evaluator) for name in complete}
    unique = len(set(short.values())) == len(short)
    return {short[name] if unique else name: _exact(value) for name, value in complete.items() if _is_number(value)}


def _without_prefix(name: str, evaluator: Evaluator) -> str:
    for prefix in {metric.prefix for metric in evaluator.metrics if metric.prefix}:
        if name.startswith(f"{prefix}/"):
            return name[len(prefix) + 1 :]
        name = name.replace(f"/{prefix}/", "/")  # behind a data set's name, or teacher and student
    return name


def _is_number(value: Any) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, (bool, str))


def _exact(value: Any) -> float:
    return value.exact if isinstance(value, RoundedMetric) else float(value)


class ValidationReducer(pytorch.MetricReducer):
    """Runs the validation loop and hands its metrics to Determined.

    mmengine has gathered every process's results by then, each sample counted once, so that nothing is left to reduce.
    """

    def __init__(self, runner: Runner, *, fast: bool = True) -> None:
        """Prepare the evaluators. `fast` is `prepare`'s; all processes must get here."""
        self.runner = runner
        self._metrics: dict[str, float] = {}
        runner.register_hook(_Listener(self), priority="LOWEST")
        if runner.val_loop is not None:
            prepare(runner.val_loop.evaluator, fast=fast)

    def validate(self) -> None:
        """Run the configured validation loop once, on every process."""
        if self.runner.val_loop is None:
            return
        training = [module for module in self.runner.model.modules() if module.training]
        with data_errors():
            self.runner.val_loop.run()
        for module in training:  # a validation in the middle of an epoch must not leave the model in eval mode
            module.training = True

    def listen(self, metrics: Mapping[str, Any]) -> None:
        """Take the metrics of the validation that is running."""
        self._metrics = reported(self.runner.val_loop.evaluator, metrics)

    def reset(self) -> None:
        """Forget the last validation."""
        self._metrics = {}

    def per_slot_reduce(self) -> dict[str, float]:
        """This process's view of the metrics."""
        return self._metrics

    def cross_slot_reduce(self, per_slot_metrics: list[dict[str, float]]) -> dict[str, float]:
        """The chief's view: all are equal."""
        return dict(per_slot_metrics[0])


class _Listener(Hook):
    """Some validation loops return nothing, but all of them announce their metrics to the hooks."""

    def __init__(self, reducer: ValidationReducer) -> None:
        self._reducer = reducer

    def after_val_epoch(self, runner: Runner, metrics: dict[str, Any] | None = None) -> None:
        self._reducer.listen(metrics or {})
