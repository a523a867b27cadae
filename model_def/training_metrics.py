"""Training metrics: the means, over the reported batches, of what mmengine's own hooks have logged."""

from __future__ import annotations

import statistics
from typing import Any

from determined import pytorch
from mmengine.runner import Runner

from model_def.peak_memory import peak_memory

_PREFIX = "train/"
_NAMES = {"time": "iter_time"}
_MEMORY = "memory"


class TrainingReducer(pytorch.MetricReducer):
    """Every loss the model returned, `grad_norm`, `lr`, `data_time` and `iter_time` (seconds), `samples_per_second` and
    `memory` (MB at the peak).

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
        means = {name.removeprefix(_PREFIX): float(buffer.mean(window)) for name, buffer in scalars.items() if window}
        return {**means, _MEMORY: peak_memory() / 1e6}

    def cross_slot_reduce(self, per_slot_metrics: list[dict[str, float]]) -> dict[str, Any]:
        """The means over the processes that have measured something; of memory the most."""
        names = dict.fromkeys(name for metrics in per_slot_metrics for name in metrics)
        every = {name: [metrics[name] for metrics in per_slot_metrics if name in metrics] for name in names}
        means = {_NAMES.get(name, name): statistics.fmean(values) for name, values in every.items()}
        means[_MEMORY] = max(every[_MEMORY])
        if means.get("iter_time"):
            means["samples_per_second"] = self._global_batch_size / means["iter_time"]
        return means
