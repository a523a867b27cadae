"""Determined's measurements of this machine, kept in files."""

from __future__ import annotations

import json
import logging

from determined import core

from model_def.platform.system_metrics import LocalProfiler


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
