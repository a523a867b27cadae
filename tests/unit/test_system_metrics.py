"""Determined's measurements of this machine, kept in files."""

from __future__ import annotations

import datetime
import json
import logging

from determined import core
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model_def.platform.system_metrics import LocalProfiler, SystemMetrics


def test_what_determined_measures_becomes_lines(tmp_path):
    handlers = list(logging.getLogger().handlers)
    profiler = LocalProfiler(tmp_path, core.DummyDistributedContext())
    profiler.on(samples_per_report=2)
    assert logging.getLogger().handlers == handlers, "one more would print every warning twice"
    profiler._close()
    lines = [json.loads(line) for line in (tmp_path / "system.jsonl").read_text().splitlines()]
    metrics = {name: value for line in lines for name, value in line["metrics"].items()}
    assert metrics["memory_free"] > 2**20
    assert 0 <= metrics["disk_util /"] <= 100
    assert metrics.keys() >= {"cpu_util_simple", "net_throughput_sent", "disk_throughput_read"}


def test_a_run_without_profiling_has_no_such_file(tmp_path):
    LocalProfiler(tmp_path, core.DummyDistributedContext())._close()
    assert not (tmp_path / "system.jsonl").exists()


def test_the_seconds_of_a_resumed_run_go_on(tmp_path):
    noon = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
    for seconds in (0, 30):
        metrics = SystemMetrics(tmp_path)
        for more in (0, 10):
            time = noon + datetime.timedelta(seconds=seconds + more)
            metrics.report("cpu", {"here": {"util": 1.0}}, report_time=time)
    events = EventAccumulator(str(tmp_path / "tensorboard/system")).Reload()
    # Sorted: TensorBoard reads the files of one second and process by their numbers as text, 10 before 9.
    assert sorted(event.step for event in events.Scalars("cpu/util")) == [0, 10, 30, 40]
