"""Checkpoints on the stand-in for a cluster: in any storage, loaded back by `load_model`, and begun with."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from mmengine.fileio import list_dir_or_file

from model_def import load_model
from model_def.storage.address import Address
from tests.cluster.fixtures import Cluster, cluster, uploaded
from tests.cluster.records import Trial
from tests.integration.test_cluster_training import (
    EVERY,
    begun,
    config,
    locally,
    measured,
    small,
    training,
    wait_for_batch,
)
from tests.support.commands import CLOCKS, model_def
from tests.support.servers import Server

__all__ = ["cluster", "config", "small", "uploaded"]  # fixtures

FOLDER = "/run/determined/kept"  # in a container


@pytest.fixture
def user(cluster: Cluster, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Someone at another machine who knows where the master is; returns where fetched checkpoints are kept."""
    monkeypatch.setenv("DET_MASTER", cluster.master.agent.url)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/determined-mmdet/checkpoints"


def killed_and_ended(cluster: Cluster, config: dict[str, Any], uploaded: pathlib.Path) -> str:
    """Train, with a kill -9 on the way; returns the UUID of the last checkpoint."""
    experiment = cluster.create(config, uploaded)
    wait_for_batch(cluster, experiment, 8)
    training(experiment).kill()
    cluster.ended(experiment)
    first, second = (at_batches(experiment.trials[0], run) for run in (1, 2))
    assert 5 < min(second) <= 8, "it went on from a checkpoint"
    again = first.keys() & second.keys()
    assert [second[batch] for batch in again] == [first[batch] for batch in again]
    return [*cluster.master.checkpoints][-1]


def at_batches(trial: Trial, run: int) -> dict[int, dict[str, Any]]:
    """What one run of a trial has measured in training, by batch."""
    reports = [report for report in trial.metrics if report.run_id == run and report.group == "training"]
    return {x.steps_completed: {k: v for k, v in x.values.items() if k not in CLOCKS} for x in reports}


def look_at(folder: pathlib.Path, cluster: Cluster, uuid: str, model: Any) -> None:
    """A fetched checkpoint is the trial's: the weights, and what the master was told of it."""
    weights = torch.load(folder / "model.pth", weights_only=True)["state_dict"]
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    said = json.loads((folder / "metadata.json").read_text())
    assert said == cluster.master.checkpoints[uuid].report["metadata"]
    assert said["validation"]["steps_completed"] == said["steps_completed"] == 18
    assert said["classes"] == [*model.dataset_meta["classes"]] == ["rectangle", "ellipse"]


def look_for_kept(names: Iterable[str], cluster: Cluster) -> None:
    """Of the checkpoints those are left in the storage that are to be kept."""
    checkpoints = cluster.master.checkpoints
    kept = {uuid for uuid, one in checkpoints.items() if not one.deleted}
    assert checkpoints.keys() & {*names} == kept < checkpoints.keys()


def test_s3(cluster: Cluster, config, uploaded, user: pathlib.Path, s3: Server, s3_bucket: Address):
    keys = {name: s3.environment[f"AWS_{name.upper()}"] for name in ("access_key_id", "secret_access_key")}
    storage = {"type": "s3", "bucket": s3_bucket.bucket, "prefix": "runs", "endpoint_url": s3.url}
    storage |= {"access_key": keys["access_key_id"], "secret_key": keys["secret_access_key"]}
    uuid = killed_and_ended(cluster, config | {"checkpoint_storage": storage}, uploaded)
    look_at(user / uuid, cluster, uuid, load_model(uuid))
    look_for_kept(list_dir_or_file(str(s3_bucket / "runs"), list_file=False), cluster)


@EVERY
def test_gcs(cluster: Cluster, config, uploaded, user: pathlib.Path, gcs: Server, gcs_bucket: Address):
    variables = [f"{name}={value}" for name, value in gcs.environment.items()]
    config["environment"] = {"image": "stand-in", "environment_variables": variables}
    keep = {"save_trial_latest": 2}  # the emulator takes long to delete the rest
    config["checkpoint_storage"] = {"type": "gcs", "bucket": gcs_bucket.bucket, **keep}
    uuid = killed_and_ended(cluster, config, uploaded)
    look_at(user / uuid, cluster, uuid, load_model(uuid))
    look_for_kept(list_dir_or_file(str(gcs_bucket), list_file=False), cluster)


@EVERY
def test_a_directory(cluster: Cluster, config, uploaded, tmp_path: pathlib.Path):
    (tmp_path / "kept").mkdir()
    config["bind_mounts"].append({"host_path": str(tmp_path / "kept"), "container_path": FOLDER})
    config["checkpoint_storage"] = {"type": "directory", "container_path": FOLDER}
    uuid = killed_and_ended(cluster, config, uploaded)
    folder = tmp_path / "kept" / uuid
    look_at(folder, cluster, uuid, load_model(folder))
    look_for_kept((path.name for path in folder.parent.iterdir()), cluster)


@EVERY
@pytest.mark.parametrize("source", ["source_trial_id", "source_checkpoint_uuid"])
def test_begun_with_another_trials_checkpoint(
    source: str, cluster: Cluster, config, uploaded, user, small, shapes_context, tmp_path
):
    """Killed and started again, too: by then it has a checkpoint of its own."""
    cluster.ended(cluster.create(config, uploaded))
    uuid = [*cluster.master.checkpoints][-1]
    load_model(uuid)
    config["searcher"][source] = 1 if source == "source_trial_id" else uuid
    experiment = cluster.create(config, uploaded)
    wait_for_batch(cluster, experiment, 8)
    training(experiment).kill()
    cluster.ended(experiment)
    assert any(f"begins with the weights of checkpoint {uuid}" in line for line in cluster.log(experiment))
    assert begun(experiment)[2] > 5, "it went on from its own checkpoint"
    pretrained = f"use_pretrained={user / uuid / 'model.pth'}"
    model_def("train", str(small), pretrained, "--output", str(tmp_path / "here"), cwd=shapes_context)
    assert measured(experiment) == locally(tmp_path / "here")
