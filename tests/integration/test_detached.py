"""Detached mode: `train --master URL` is shown by a master, here the stand-in, and trains as it would without one."""

from __future__ import annotations

import pathlib
import threading
from typing import Any

import pytest

from tests.cluster.detached import RUNNING
from tests.cluster.fixtures import Cluster, cluster
from tests.cluster.records import COMPLETED, Experiment
from tests.support.commands import CLOCKS, metrics
from tests.support.place import Place, assert_refused

__all__ = ["cluster"]  # a fixture


@pytest.fixture
def user(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Somebody who has never logged in."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for name in ("DET_MASTER", "DET_USER", "DET_USER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def shown(place: Place, cluster: Cluster, *arguments: str) -> str:
    """Train with the master looking on; returns what is said on standard error."""
    code, _, err = place.run("train", "tiny.yaml", "--master", cluster.master.agent.url, *arguments)
    assert code == 0, err
    return err


def told(experiment: Experiment) -> list[dict[str, Any]]:
    """What the master was told, as lines of a metrics file."""
    left_out = (*CLOCKS, "batches", "epochs")
    return [
        {
            "group": report.group,
            "steps_completed": report.steps_completed,
            "metrics": {name: value for name, value in report.values.items() if name not in left_out},
        }
        for report in experiment.trials[0].metrics
        if not report.archived
    ]


def here(place: Place) -> list[dict[str, Any]]:
    """The numbers in the run's own file."""
    return [
        {**line, "metrics": {name: value for name, value in line["metrics"].items() if value is not None}}
        for line in metrics(place.root / "shown/metrics.jsonl")
    ]


def test_a_master_shows_what_is_measured_here(place: Place, cluster: Cluster, user):
    """And what is measured is what would be without it."""
    err = shown(place, cluster, "--output", "shown")
    assert f"shown at {cluster.master.agent.url}/det/experiments/1" in err
    [experiment] = cluster.master.experiments.values()
    [trial] = experiment.trials
    assert told(experiment) == here(place) != []
    assert (experiment.state, trial.state, trial.progress) == (COMPLETED, COMPLETED, 1.0)
    assert trial.hparams["config_file"] == "retinanet/retinanet_r18_fpn_1x_coco.py"
    assert experiment.config["name"] == "tiny"
    assert place.run("train", "tiny.yaml", "--output", "alone")[0] == 0
    assert metrics(place.root / "alone/metrics.jsonl") == metrics(place.root / "shown/metrics.jsonl")


def test_a_run_that_goes_on_is_the_same_trial(place: Place, cluster: Cluster, user):
    shown(place, cluster, "--output", "shown")
    shown(place, cluster, "--resume", "shown", "train_cfg.max_epochs=2")
    [experiment] = cluster.master.experiments.values()
    assert experiment.trials[0].run_id == 2
    assert told(experiment) == here(place)


def test_a_master_that_goes_away_stops_nothing(place: Place, cluster: Cluster, user):
    """All that it is told once the trial has begun is refused: nobody is logged in any more."""
    master = cluster.master

    def leave() -> None:
        master.wait_for(lambda: any(trial.state == RUNNING for trial in master.trials.values()), timeout=60)
        master.users.clear()

    leaving = threading.Thread(target=leave)
    leaving.start()
    err = shown(place, cluster, "--output", "shown")
    leaving.join()
    assert err.count("the master no longer takes what this run reports; it is all in metrics.jsonl") == 1
    assert {line["steps_completed"] for line in here(place)} == {2}


def test_what_is_wrong_with_a_master_is_told_before_anything_is_made(place: Place, cluster: Cluster, user):
    def refused(url: str, *words: str) -> None:
        assert_refused(place, "train", "tiny.yaml", "--master", url, words=words)
        assert cluster.master.experiments == {}

    url = cluster.master.agent.url
    refused("http://127.0.0.1:1", "no Determined master answers: 'http://127.0.0.1:1'")
    refused("http://", "no Determined master answers (invalid master url", ": 'http://'")
    cluster.master.version = "0.40.0"
    refused(url, "this is a master of another version: '0.40.0'", "0.38.1")
    cluster.master.version = "0.38.1"
    user.setenv("HOME", str(place.root.parent / "another"))
    user.setenv("DET_USER", "somebody")
    user.setenv("DET_USER_TOKEN", "none of the master's")
    refused(url, "the master wants a login", "det user login")


def test_what_a_master_refuses(place: Place, cluster: Cluster, user):
    place.edit("name: tiny\n", "name: tiny\nworkspace: ours\nproject: p\n")
    words = ("the master refuses: workspace 'ours' not found",)
    assert_refused(place, "train", "tiny.yaml", "--master", cluster.master.agent.url, words=words)
    assert cluster.master.experiments == {}
