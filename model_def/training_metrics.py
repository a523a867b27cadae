"""Training metrics: the means, over the reported batches, of what mmengine's own hooks have logged."""

from __future__ import annotations

from typing import Any

from determined import pytorch
from mmengine.runner import Runner

_PREFIX = "train/"
_NAMES = {"time": "iter_time"}


class TrainingReducer(pytorch.MetricReducer):
    """Every loss the model returned, `grad_norm`, `lr`, `data_time` and `iter_time` (seconds), `samples_per_second`.

    The values come from mmengine's MessageHub, so that reporting costs nothing per batch.
    """

    def __init__(self, runner: Runner, *, global_batch_size: int) -> None:
        self._hub = runner.message_hub
        self._runner = runner
        self._global_batch_size = global_batch_size
        self._first = 0

    def reset(self) -> None:
        """Start a new window of batches."""
        self._first = self._runner.iter

    def per_slot_reduce(self) -> dict[str, float]:
        """The means over this process's batches of the window."""
        window = self._runner.iter - self._first
        scalars = {name: buffer for name, buffer in self._hub.log_scalars.items() if name.startswith(_PREFIX)}
        return {name.removeprefix(_PREFIX): float(buffer.mean(window)) for name, buffer in scalars.items() if window}

    def cross_slot_reduce(self, per_slot_metrics: list[dict[str, float]]) -> dict[str, Any]:
        """The means over all processes."""
        means = {
            _NAMES.get(name, name): sum(metrics[name] for metrics in per_slot_metrics) / len(per_slot_metrics)
            for name in per_slot_metrics[0]
        }
        if means.get("iter_time"):
            means["samples_per_second"] = self._global_batch_size / means["iter_time"]
        return means
