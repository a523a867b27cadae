"""One validation: the configured loop runs as it is, Determined's reducer takes its metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from determined import pytorch
from mmengine.dist import get_world_size
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner

from model_def.data import data_errors
from model_def.evaluate import together
from model_def.evaluate.exact import keep_exact
from model_def.evaluate.leaving import Exit
from model_def.evaluate.names import name_prefixes, reported


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


class ValidationReducer(pytorch.MetricReducer):
    """Runs the validation loop and hands its metrics to Determined.

    mmengine has gathered every process's results by then, each sample counted once, so that nothing is left to reduce.
    """

    def __init__(self, runner: Runner, *, fast: bool = True, stop_pending: Callable[[], bool] = lambda: False) -> None:
        """Prepare the evaluators. `fast` is `prepare`'s, `stop_pending` `Exit`'s; all processes must get here."""
        self.runner = runner
        self._stop_pending = stop_pending
        self._exit: Exit | None = None
        self._metrics: dict[str, float] = {}
        runner.register_hook(_Listener(self), priority="LOWEST")
        if runner.val_loop is not None:
            prepare(runner.val_loop.evaluator, fast=fast)

    def validate(self) -> None:
        """Run the configured validation loop once, on every process.

        Raises:
            Left: a stop is pending, and the loop was left after a batch.
        """
        if self.runner.val_loop is None:
            return
        self._exit = Exit(self.runner, self._stop_pending)
        training = [module for module in self.runner.model.modules() if module.training]
        try:
            with data_errors():
                self.runner.val_loop.run()
        finally:
            for module in training:  # a validation in the middle of an epoch must not leave the model in eval mode
                module.training = True

    def look(self, batch: int) -> None:
        """Leave behind this batch of the validation that is running, if a stop is pending."""
        if self._exit is not None:
            self._exit.look(batch)

    def listen(self, metrics: Mapping[str, Any]) -> None:
        """Take the metrics of the validation that is running."""
        loop = self.runner.val_loop
        self._metrics = reported(loop.evaluator, metrics, name_prefixes(loop))

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
    """Some validation loops return nothing, but all of them announce their batches and metrics to the hooks."""

    def __init__(self, reducer: ValidationReducer) -> None:
        self._reducer = reducer

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] | None = None
    ) -> None:
        self._reducer.look(batch_idx)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, Any] | None = None) -> None:
        self._reducer.listen(metrics or {})
