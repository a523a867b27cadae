"""`profiling.enabled` off a cluster: Determined's own measurements of this machine, kept in files."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import psutil
import torch
from determined import core
from determined.core import _profiler
from torch.utils.tensorboard import SummaryWriter

_AGENT = "here"


class SystemMetrics(core._MetricsContext):
    """Takes what Determined's profiler measures: a line of `system.jsonl`, and a run of its own in TensorBoard.

    Not in `metrics.jsonl`: two equal runs have equal ones.
    """

    def __init__(self, output: pathlib.Path) -> None:
        self._file = output / "system.jsonl"
        self._writer = SummaryWriter(str(output / "tensorboard" / "system"))
        self._began = _began(self._file)

    def report(self, group: str, metrics: dict[str, Any], *args: Any, report_time: Any = None, **kwargs: Any) -> None:
        """Write the means of some seconds; TensorBoard's steps are the seconds since the first ones of the run."""
        self._began = self._began or report_time
        values = dict(_flat(metrics[_AGENT]))
        line = {"group": group, "time": report_time.isoformat(), "metrics": values}
        with self._file.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, round((report_time - self._began).total_seconds()))
        self._writer.flush()


def _began(file: pathlib.Path) -> datetime.datetime | None:
    """The time of the first line, if an earlier process of the run has written one."""
    with contextlib.suppress(OSError, ValueError), file.open() as stream:
        return datetime.datetime.fromisoformat(json.loads(stream.readline())["time"])
    return None


def _flat(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """`disk_util /` for the disk's `/`, `gpu_util GPU-1` for a GPU's."""
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from ((f"{each} {name}", float(number)) for each, number in value.items())
        else:
            yield name, float(value)


class LocalProfiler(core.ProfilerContext):
    """Determined's profiler over files."""

    def __init__(self, output: pathlib.Path, distributed: core.DistributedContext) -> None:
        super().__init__(agent_id=_AGENT, metrics=SystemMetrics(output), distributed=distributed)

    def on(self, sampling_interval: int = 1, samples_per_report: int = 10) -> None:
        """Begin to measure, each second, in a thread of its own."""
        if psutil.disk_io_counters() is None:
            print("profiling: no system metrics, since this machine does not tell what its disks do")
            return
        if torch.cuda.is_available() and _profiler.pynvml is None:
            print("profiling: the GPU's own figures need one more package: pip install nvidia-ml-py")
        with _handled():
            super().on(sampling_interval, samples_per_report)

    def _close(self) -> None:
        super()._close()
        if self._collector:
            self._collector.join(timeout=5)  # what it has measured last is written


@contextlib.contextmanager
def _handled() -> Iterator[None]:
    """Determined warns without a logger; Python would then print every logger's warnings twice from here on."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
