"""Trials on the stand-in for a cluster that end before their time: paused between reports, or stopped by a search."""

from __future__ import annotations

import pathlib
import time
from typing import Any

import pytest

from tests.cluster.fixtures import Cluster, cluster, uploaded
from tests.integration.test_cluster_training import EVERY, LAUNCHED, config, here, measured, small

__all__ = ["cluster", "config", "here", "small", "uploaded"]  # fixtures

SLOW = """
import time
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class Slow(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        time.sleep(1)
"""

SLOW_IMAGES = """
import time
from mmcv.transforms import LoadImageFromFile
from mmengine.registry import TRANSFORMS

@TRANSFORMS.register_module()
class LoadSlowly(LoadImageFromFile):
    def transform(self, results):
        time.sleep(1)
        return super().transform(results)
"""


@pytest.fixture
def slow(config, uploaded: pathlib.Path) -> dict[str, Any]:
    """The small experiment, a second for each of its 18 batches, without checkpoints and reports on the way."""
    (uploaded / "slow.py").write_text(SLOW)
    config["hyperparameters"]["override_mmdet_config"] |= {
        "custom_imports": {"imports": ["slow"]},
        "custom_hooks": [{"type": "Slow"}],
        "default_hooks.checkpoint.interval": -1,
    }
    del config["min_checkpoint_period"]
    return config | {"scheduling_unit": 1000}


@EVERY
@pytest.mark.parametrize("slots", [1, 2])
def test_a_pause_is_answered_within_a_batch(cluster: Cluster, slow, uploaded, slots: int):
    slow |= {"entrypoint": LAUNCHED, "resources": {"slots_per_trial": slots}}
    slow["hyperparameters"]["override_mmdet_config"]["train_cfg.val_interval"] = 3
    experiment = cluster.create(slow, uploaded)
    [trial] = experiment.trials
    assert cluster.master.wait_for(lambda: trial.runner_state == "training", timeout=120), cluster.log(experiment)
    time.sleep(2)
    cluster.det("experiment", "pause", "1")
    assert cluster.master.wait_for(lambda: trial.allocation is None, timeout=60), cluster.log(experiment)
    [saved] = cluster.master.checkpoints.values()
    assert saved.steps_completed < 9, "all batches take 18 seconds, and nothing is reported on the way"


@EVERY
@pytest.mark.parametrize("slots", [1, 2])
def test_a_pause_is_answered_within_a_batch_of_a_validation(cluster: Cluster, config, uploaded, here, slots: int):
    """The trial validates when it is activated, and ends as one that was never paused."""
    (uploaded / "slow_images.py").write_text(SLOW_IMAGES)
    config["hyperparameters"]["override_mmdet_config"] |= {
        "custom_imports": {"imports": ["slow_images"]},
        "val_dataloader.dataset.pipeline.0.type": "LoadSlowly",
    }
    config |= {"entrypoint": LAUNCHED, "resources": {"slots_per_trial": slots}}
    experiment = cluster.create(config, uploaded)
    [trial] = experiment.trials
    assert cluster.master.wait_for(lambda: trial.runner_state == "validating", timeout=120), cluster.log(experiment)
    time.sleep(0.5)
    cluster.det("experiment", "pause", "1")
    assert cluster.master.wait_for(lambda: trial.allocation is None, timeout=60), cluster.log(experiment)
    assert trial.of("validation") == [], "a validation takes 6 seconds, or 3 of two processes"
    assert cluster.master.latest_checkpoint(trial).steps_completed == 6
    cluster.det("experiment", "activate", "1")
    cluster.ended(experiment)
    assert [report.steps_completed for report in trial.of("validation")] == [6, 12, 18]
    assert slots > 1 or measured(experiment) == here


@EVERY
def test_a_search_stops_its_trials(cluster: Cluster, slow, uploaded):
    """The master only notes that a trial is to stop: it looks for itself, saves and leaves."""
    slow["hyperparameters"]["override_mmdet_config"]["optim_wrapper.optimizer.lr"] = {
        "type": "double", "minval": 0.0, "maxval": 0.02,
    }  # fmt: skip
    slow["searcher"] |= {
        "name": "adaptive_asha", "time_metric": "epochs", "max_time": 3, "max_trials": 3, "bracket_rungs": [2],
        "divisor": 2, "max_concurrent_trials": 1, "metric": "AR@1000",
    }  # fmt: skip
    experiment = cluster.ended(cluster.create(slow, uploaded))
    first, *_, last = sorted(experiment.trials, key=lambda trial: trial.latest("validation").steps_completed)
    assert first.latest("validation").steps_completed == 6, "stopped after the first rung, an epoch"
    assert last.latest("validation").steps_completed == 18
    assert cluster.master.latest_checkpoint(first).steps_completed < 18
