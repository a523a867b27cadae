"""`profile_batches`: a torch profiler's trace of some batches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import profiler

from model_def.errors import ExperimentError
from model_def.experiment_types import Experiment


class TraceHook(Hook):
    """Traces the batches from `first` to `last`, waiting for their data included.

    The batch before the first one warms the profiler up. What is written is small, and goes where TensorBoard's files
    go: on a cluster into the checkpoint storage.

    Args:
        folder: for the trace.
        batches: the first and the last, counted from 1.
    """

    priority = "LOWEST"

    def __init__(self, folder: Path, batches: tuple[int, int]) -> None:
        self._folder = folder
        self._first, self._last = batches
        self._begin = max(self._first - 1, 1)
        self._profiler: Any = None

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Begin, if it is time to."""
        if runner.iter + 1 == self._begin:
            os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else it prints lines for its own developers
            plan = profiler.schedule(wait=0, warmup=self._first - self._begin, active=self._last - self._first + 1)
            write = profiler.tensorboard_trace_handler(str(self._folder), use_gzip=True)
            self._profiler = profiler.profile(schedule=plan, on_trace_ready=write)
            self._profiler.start()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """End, if it is time to, and say where the trace is."""
        if self._profiler is None:
            return
        self._profiler.step()
        if runner.iter + 1 == self._last:
            self._profiler.stop()
            self._profiler = None
            print(f"batches {self._first} to {self._last} are traced: {self._folder}/*.pt.trace.json.gz")
            print("  open it in https://ui.perfetto.dev or chrome://tracing")


def check_traced(experiment: Experiment, length: int) -> None:
    """See that there are such batches.

    Args:
        experiment: may name some.
        length: of the training, in batches.

    Raises:
        ExperimentError: training is shorter.
    """
    batches = experiment.hyperparameters.profile_batches
    if batches and batches[1] > length:
        raise ExperimentError(
            what="`profile_batches` lies behind the end of the training",
            value=[*batches],
            where=experiment.where("hyperparameters", "profile_batches"),
            allowed=f"batches from 1 to {length}",
            next="write two smaller numbers, or leave it out",
        )
