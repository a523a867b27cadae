"""Training metrics: means of a window, reduced over the processes."""

from __future__ import annotations

import types

import pytest
from mmengine.logging import MessageHub

from model_def.training_metrics import TrainingReducer


@pytest.fixture
def runner(tmp_path):
    return types.SimpleNamespace(message_hub=MessageHub(tmp_path.name), iter=0)


def test_means_over_the_batches_since_the_last_report(runner):
    reducer = TrainingReducer(runner, global_batch_size=4)
    for window in ([9.0, 9.0], [1.0, 2.0, 6.0]):
        reducer.reset()
        for loss in window:
            runner.message_hub.update_scalar("train/loss", loss)
            runner.message_hub.update_scalar("val/loss", 100.0)
            runner.iter += 1
    found = reducer.per_slot_reduce()
    assert found.keys() == {"loss", "memory"}
    assert found["loss"] == 3.0
    assert 10 < found["memory"] < 100_000, "megabytes"


def test_all_processes_count(runner):
    slots = [
        {"loss": 1.0, "time": 0.5, "memory": 700.0},
        {"loss": 3.0, "time": 1.5, "memory": 900.0, "loss_aux": 5.0},
    ]
    found = TrainingReducer(runner, global_batch_size=4).cross_slot_reduce(slots)
    assert found == {"loss": 2.0, "iter_time": 1.0, "memory": 900.0, "loss_aux": 5.0, "samples_per_second": 4.0}
