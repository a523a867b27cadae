"""Failing trials on the stand-in for a cluster: what a restart can't mend ends a trial at once, and says so last."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

from tests.cluster import records
from tests.cluster.fixtures import Cluster, cluster, uploaded
from tests.cluster.records import Experiment
from tests.integration.test_cluster_training import EVERY, LAUNCHED, config, small
from tests.support.commands import REPO

__all__ = ["cluster", "config", "small", "uploaded"]  # fixtures

POLICIES = yaml.safe_load((REPO / "experiments/quickstart.yaml").read_text())["log_policies"]
MARK = "A restart can't mend this: "
OVERRIDES = ("hyperparameters", "override_mmdet_config")

# A hook in a module of the user's own, with a mistake in its third iteration.
HOOK = """
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class Failing(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 2:
            {mistake}
"""


@pytest.fixture
def failing(config) -> dict[str, Any]:
    """The small experiment as ours are: launched, with many restarts and our log policies."""
    return config | {"entrypoint": LAUNCHED, "max_restarts": 5, "log_policies": POLICIES}


def with_hook(config: dict[str, Any], context: pathlib.Path, mistake: str) -> dict[str, Any]:
    """The experiment with a hook that makes a mistake."""
    (context / "failing.py").write_text(HOOK.format(mistake=mistake))
    config["hyperparameters"]["override_mmdet_config"] |= {
        "custom_imports": {"imports": ["failing"]},
        "custom_hooks": [{"type": "Failing"}],
    }
    return config


def failed(cluster: Cluster, config: dict[str, Any], context: pathlib.Path) -> Experiment:
    """The experiment, which has failed at its first run."""
    experiment = cluster.ended(cluster.create(config, context), records.ERROR)
    [trial] = experiment.trials
    assert (trial.run_id, trial.restarts) == (1, 0), cluster.log(experiment)
    return experiment


def last_words(cluster: Cluster, experiment: Experiment, *, times: int = 1) -> str:
    """What was wrong: said by so many processes, repeated by torchrun, and by the master in the log's last line."""
    log = cluster.log(experiment)
    said = [line for line in log if line.startswith(MARK)]
    assert len(said) == times, log
    assert log[-1].startswith(f'(log "{MARK}'), log[-3:]
    return log[-1]


def test_a_mistake_in_the_config(cluster: Cluster, failing, uploaded):
    failing["hyperparameters"]["override_mmdet_config"]["train_cfg.max_epoch"] = 3
    experiment = failed(cluster, failing, uploaded)
    assert "max_epoch" in last_words(cluster, experiment)
    assert experiment.trials[0].policy == "Not mended by a restart"
    log = "".join(cluster.log(experiment))
    assert log.count("Traceback (most recent call last)") == 1, "torchrun's alone"


def test_an_image_that_cannot_be_pulled(cluster: Cluster, failing, uploaded):
    """No code of ours runs, and a master tries again: `check` looks the image up before."""
    cluster.master.agent.images = {"stand-in"}
    failing |= {"environment": {"image": "me/mmdet:1"}, "max_restarts": 2, "log_policies": POLICIES}
    experiment = cluster.ended(cluster.create(failing, uploaded), records.ERROR)
    [trial] = experiment.trials
    assert (trial.run_id, trial.restarts, trial.policy) == (3, 2, None)
    assert cluster.log(experiment)[-1].endswith("error pulling image: me/mmdet:1: manifest unknown\n")
    assert not trial.metrics
    assert not cluster.master.checkpoints


@EVERY
def test_missing_data(cluster: Cluster, failing, uploaded):
    failing["hyperparameters"]["dataset"]["train"]["ann_file"] = "nowhere.json"
    assert "the annotation file is missing" in last_words(cluster, failed(cluster, failing, uploaded))


@EVERY
def test_a_loss_that_is_not_finite(cluster: Cluster, failing, uploaded):
    failing["hyperparameters"]["override_mmdet_config"]["optim_wrapper.optimizer.lr"] = 1e30
    assert "the loss is not finite" in last_words(cluster, failed(cluster, failing, uploaded))


@EVERY
def test_a_mistake_in_the_users_code(cluster: Cluster, failing, uploaded):
    experiment = failed(cluster, with_hook(failing, uploaded, "runner.nonsense"), uploaded)
    said = last_words(cluster, experiment)
    assert "AttributeError: 'ParkedRunner' object has no attribute 'nonsense'" in said
    assert "failing.py:10, in after_train_iter" in said


@EVERY
def test_out_of_memory(cluster: Cluster, failing, uploaded):
    experiment = failed(cluster, with_hook(failing, uploaded, "torch.empty(2**55)"), uploaded)
    assert "out of memory: '4 images in each process" in last_words(cluster, experiment)
    assert any("next:    global_batch_size=2" in line for line in cluster.log(experiment))


@EVERY
def test_what_a_restart_may_mend_is_restarted(cluster: Cluster, failing, uploaded):
    failing = with_hook(failing, uploaded, "raise RuntimeError('NCCL error')") | {"max_restarts": 1}
    experiment = cluster.ended(cluster.create(failing, uploaded), records.ERROR)
    assert experiment.trials[0].restarts == 1
    assert MARK not in "".join(cluster.log(experiment))


@EVERY
@pytest.mark.parametrize("cluster", [(1, 2), (2, 1)], indirect=True, ids=["one node", "two nodes"])
def test_several_processes_say_it_once(cluster: Cluster, failing, uploaded):
    failing["hyperparameters"]["dataset"]["train"]["ann_file"] = "nowhere.json"
    failing["resources"] = {"slots_per_trial": 2}
    assert "the annotation file is missing" in last_words(cluster, failed(cluster, failing, uploaded))


@EVERY
def test_without_a_log_policy(cluster: Cluster, failing, uploaded):
    """The trial has itself killed: it counts as canceled, and our message is the last of its log."""
    failing["hyperparameters"]["override_mmdet_config"]["train_cfg.max_epoch"] = 3
    del failing["log_policies"]
    experiment = cluster.ended(cluster.create(failing, uploaded), records.CANCELED)
    [trial] = experiment.trials
    assert (trial.run_id, trial.restarts) == (1, 0)
    assert any(line.startswith(MARK) for line in cluster.log(experiment)[-10:]), cluster.log(experiment)


@EVERY
def test_a_test_of_one_batch(cluster: Cluster, failing, uploaded):
    """`--test`: one batch, one validation and one checkpoint of a config that counts epochs; nothing is kept."""
    experiment = cluster.create(failing, uploaded, "--test")
    [trial] = cluster.ended(experiment).trials
    for group in ("training", "validation"):
        assert [report.steps_completed for report in trial.of(group)] == [1]
    [checkpoint] = cluster.master.checkpoints.values()
    assert (checkpoint.steps_completed, checkpoint.deleted) == (1, True)
