"""A trial on a cluster that begins with another trial's checkpoint, and what stands for that off a cluster.

The master's HTTP is not played here (`test_cluster_training.py` has that): the core context is the local one.
"""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import determined as det
import pytest
import yaml
from determined import core

from model_def import train
from model_def.errors import WeightsError
from model_def.experiment import load_experiment
from model_def.platform.local import local_platform
from model_def.platform.run_directory import RunDirectory
from tests.support.commands import metrics
from tests.support.place import Place, assert_refused

SOURCE = "checkpoints/2"


def train_as(place: Place, monkeypatch: pytest.MonkeyPatch, *, trial: int, steps: int = 0) -> pathlib.Path:
    """Train as this trial of a cluster, whose master names the source's checkpoint; returns the metrics file."""
    config: dict[str, Any] = yaml.safe_load((place.root / "tiny.yaml").read_text())
    config["searcher"]["source_trial_id"] = 1
    info = det.ClusterInfo(
        master_url="http://127.0.0.1:1", cluster_id="c", agent_id="a", slot_ids=[0], task_id="t", allocation_id="a",
        session_token="s", task_type="TRIAL", latest_checkpoint=str(place.root / "run" / SOURCE),
        trial_info=det.TrialInfo(
            trial_id=trial, experiment_id=1, trial_seed=0, hparams=config["hyperparameters"], config=config,
            steps_completed=steps, trial_run_id=0, debug=False, inter_node_network_interface=None,
        ),
    )  # fmt: skip
    monkeypatch.setattr(det, "get_cluster_info", lambda: info)
    run = RunDirectory(place.root / "warm", metric="bbox_mAP", smaller_is_better=False)
    run.path.mkdir()
    resume = place.root / "run" / SOURCE if steps else None
    experiment = load_experiment(place.root / "tiny.yaml")
    with local_platform(experiment, run, core.DummyDistributedContext(), resume=resume) as platform:
        monkeypatch.setattr("determined.constants.MANAGED_TRAINING_MODEL_COPY", str(platform.code))
        train.train_on_cluster(platform.context)
    return run.path / "metrics.jsonl"


def test_it_begins_with_the_weights(place: Place, run: pathlib.Path, monkeypatch, capsys):
    """The numbers are those of `use_pretrained`, which off a cluster stands for it; the log says what happens."""
    warm = train_as(place, monkeypatch, trial=2)
    log = " ".join(capsys.readouterr().out.split())
    assert f"begins with the weights of checkpoint {run / SOURCE}, another trial's" in log
    weights = f"use_pretrained={run}/{SOURCE}/model.pth"
    code, _, err = place.run("train", "tiny.yaml", weights, "--output", "here")
    assert code == 0, err
    assert metrics(warm) == metrics(place.root / "here/metrics.jsonl")
    assert metrics(warm) != metrics(run / "metrics.jsonl")
    assert {line["steps_completed"] for line in metrics(warm)} == {2}, "it counts from the first batch"


def test_its_own_checkpoint_is_gone_on_from(place: Place, run: pathlib.Path, monkeypatch, capsys):
    """A restarted trial has one; and one that was saved before the first batch is its own too."""
    place.edit("max_epochs: 1", "max_epochs: 2")
    again = train_as(place, monkeypatch, trial=1, steps=2)
    assert "another trial's" not in capsys.readouterr().out
    assert {line["steps_completed"] for line in metrics(again)} == {4}


def test_another_kind_of_checkpoint(place: Place, run: pathlib.Path, monkeypatch):
    (run / SOURCE / "model.pth").unlink()
    with pytest.raises(WeightsError, match=r"none of ours: it has no model\.pth"):
        train_as(place, monkeypatch, trial=2)
    shutil.rmtree(place.root / "warm")


@pytest.mark.parametrize(("field", "value"), [("source_trial_id", "7"), ("source_checkpoint_uuid", "abc")])
def test_off_a_cluster_it_is_refused(field: str, value: str, place: Place):
    words = (f"`searcher.{field}` begins with a checkpoint that a cluster keeps", f"searcher.{field}=null")
    assert_refused(place, "train", "tiny.yaml", f"searcher.{field}={value}", words=words)


def test_a_clusters_storage_is_said_to_be_one(place: Place):
    code, out, err = place.run("train", "tiny.yaml", "checkpoint_storage.type=s3", "checkpoint_storage.bucket=b")
    assert code == 0, err
    assert "checkpoint_storage is a cluster's: here checkpoints stay in checkpoints/" in " ".join((out + err).split())
