"""Trainings on the stand-in for a cluster: the same numbers as here, whatever stops a trial."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import psutil
import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model_def.searching.plan import make_plan
from tests.cluster.fixtures import Cluster, cluster, uploaded
from tests.cluster.records import Experiment
from tests.support.commands import CLOCKS, metrics, model_def, torchrun, yaml_writer

__all__ = ["cluster", "uploaded"]  # fixtures

EVERY = pytest.mark.skipif(os.environ.get("CLUSTER") != "all", reason="half a minute: CLUSTER=all runs it (make soak)")
LAUNCHED = "python3 -m determined.launch.torch_distributed python3 -m model_def.train"
Measured = list[tuple[str, int, dict[str, Any]]]


@pytest.fixture(scope="module")
def small(retinanet, shapes_context, tmp_path_factory) -> pathlib.Path:
    """A small experiment of 18 batches that saves after each 5, with its data mounted from here."""
    write, config = yaml_writer(tmp_path_factory.mktemp("small")), yaml.safe_load(retinanet.read_text())
    mount = {"host_path": str(shapes_context / "data"), "container_path": "data"}
    return write(config | {"bind_mounts": [mount], "max_restarts": 1, "min_checkpoint_period": {"batches": 5}})


@pytest.fixture
def config(small) -> dict[str, Any]:
    """The small experiment."""
    return yaml.safe_load(small.read_text())


@pytest.fixture(scope="module")
def here(small, shapes_context, tmp_path_factory) -> Measured:
    """What `python -m model_def train` measures with the same YAML."""
    output = tmp_path_factory.mktemp("here") / "run"
    model_def("train", str(small), "--output", str(output), cwd=shapes_context)
    return locally(output)


def locally(output: pathlib.Path) -> Measured:
    """What a run here has measured."""
    lines = metrics(output / "metrics.jsonl")
    return in_order([(line["group"], line["steps_completed"], line["metrics"]) for line in lines])


def measured(experiment: Experiment) -> Measured:
    """What the experiment's trial has reported and still counts, without clocks and what the harness adds."""
    [trial] = experiment.trials
    left_out = (*CLOCKS, "epochs", "batches")
    return in_order(
        [
            (report.group, report.steps_completed, {k: v for k, v in report.values.items() if k not in left_out})
            for report in trial.metrics
            if not report.archived
        ]
    )


def in_order(found: Measured) -> Measured:
    return sorted(found, key=lambda one: (one[1], one[0]))


def wait_for_batch(cluster: Cluster, experiment: Experiment, batch: int) -> None:
    """Wait until the trial has reported a batch."""
    [trial] = experiment.trials
    reached = cluster.master.wait_for(lambda: any(m.steps_completed >= batch for m in trial.metrics), timeout=120)
    assert reached, cluster.log(experiment)


def begun(experiment: Experiment) -> dict[int, int]:
    """The first batch that each run of the trial has reported."""
    [trial] = experiment.trials
    return {run: min(m.steps_completed for m in trial.metrics if m.run_id == run) for run in (1, 2)}


def training(experiment: Experiment) -> psutil.Process:
    """The trial's own process, in its container."""
    allocation = experiment.trials[0].allocation
    inside = [
        process for entry in allocation.processes for process in psutil.Process(entry.pid).children(recursive=True)
    ]
    [process] = [process for process in inside if process.cmdline()[1:] == ["-m", "model_def.train"]]
    return process


def seed_of(experiment: Experiment) -> int:
    """The seed that the YAML gave, or else the master."""
    return int(experiment.config["reproducibility"]["experiment_seed"])


def test_the_same_numbers_as_here(cluster: Cluster, config, uploaded, here):
    experiment = cluster.ended(cluster.create(config, uploaded))
    assert measured(experiment) == here


@EVERY
@pytest.mark.parametrize(
    "entrypoint",
    [
        LAUNCHED,
        "model_def:MMDetTrial",
        "python3 -m determined.launch.torch_distributed --trial model_def:MMDetTrial",
        ["python3", "-m", "model_def.train"],
    ],
)
def test_each_form_of_the_entry_point(cluster: Cluster, config, uploaded, here, entrypoint: str | list[str]):
    experiment = cluster.ended(cluster.create(config | {"entrypoint": entrypoint}, uploaded))
    assert measured(experiment) == here
    told = "entrypoint: model_def:MMDetTrial is an old form" in "".join(cluster.log(experiment))
    assert told == ("MMDetTrial" in entrypoint)


@EVERY
def test_what_the_experiment_asks_for(cluster: Cluster, config, uploaded):
    """Determined's own fields, current and old: the master sees what they ask for, the log tells the translations."""
    config["searcher"]["max_length"] = {"epochs": 2}
    del config["hyperparameters"]["override_mmdet_config"]["train_cfg"]
    config |= {
        "scheduling_unit": 3,
        "perform_initial_validation": True,
        "min_validation_period": {"batches": 4},
        "min_checkpoint_period": {"records": 28},
        "checkpoint_policy": "none",
        "records_per_epoch": 100,
        "data": {"mine": 1},
    }
    experiment = cluster.ended(cluster.create(config, uploaded))
    [trial] = experiment.trials
    assert [report.steps_completed for report in trial.of("validation")] == [0, 4, 6, 8, 12]
    assert {report.steps_completed for report in trial.of("training")} >= {3, 6, 9, 12}
    assert [one.steps_completed for one in cluster.master.checkpoints.values()] == [6, 7, 12]
    log = "".join(cluster.log(experiment))
    for note in ("searcher.max_length is an old form", "records_per_epoch is not needed", "data.mine is not read"):
        assert note in log


@EVERY
@pytest.mark.parametrize(("policy", "saved"), [("best", {6}), ("all", {6, 12, 18}), ("none", set())])
def test_checkpoint_policy(cluster: Cluster, config, uploaded, policy: str, saved: set[int]):
    del config["min_checkpoint_period"]
    config["hyperparameters"]["override_mmdet_config"]["default_hooks.checkpoint.interval"] = -1
    experiment = cluster.ended(cluster.create(config | {"checkpoint_policy": policy}, uploaded))
    scores = [report.values["bbox_mAP"] for report in experiment.trials[0].of("validation")]
    if policy == "best":
        saved = {6 * (i + 1) for i, score in enumerate(scores) if score > max(scores[:i], default=-1)}
    assert {one.steps_completed for one in cluster.master.checkpoints.values()} == saved | {18}


@EVERY
@pytest.mark.parametrize("entrypoint", ["python3 -m model_def.train", LAUNCHED])
def test_killed_and_restarted(cluster: Cluster, config, uploaded, here, entrypoint: str):
    experiment = cluster.create(config | {"entrypoint": entrypoint}, uploaded)
    wait_for_batch(cluster, experiment, 8)
    training(experiment).kill()
    assert measured(cluster.ended(experiment)) == here
    assert experiment.trials[0].restarts == 1
    assert begun(experiment)[2] > 5, "it went on from a checkpoint"
    [folder] = {path.parent for path in cluster.master.storage.rglob("*tfevents*")}
    shown = [event.step for event in EventAccumulator(str(folder)).Reload().Scalars("Determined/loss")]
    assert shown == sorted({*shown}), "no batch is there twice"
    assert shown == [step for group, step, _ in here if group == "training"], "and each is there"


def test_paused_and_activated(cluster: Cluster, config, uploaded, here):
    experiment = cluster.create(config, uploaded)
    wait_for_batch(cluster, experiment, 8)
    process = training(experiment)
    process.suspend()  # `det` takes longer to start than the other ten batches
    cluster.det("experiment", "pause", "1")
    process.resume()
    assert cluster.master.wait_for(lambda: experiment.trials[0].allocation is None, timeout=60)
    assert measured(experiment) == here[: len(measured(experiment))]
    cluster.det("experiment", "activate", "1")
    assert measured(cluster.ended(experiment)) == here
    assert begun(experiment)[2] > 5, "it went on from a checkpoint"


def test_a_random_search(cluster: Cluster, config, uploaded):
    lr = {"type": "log", "base": 10, "minval": -3, "maxval": -2}
    config["hyperparameters"]["override_mmdet_config"]["optim_wrapper.optimizer.lr"] = lr
    config["searcher"] |= {"name": "random", "max_trials": 2}
    experiment = cluster.ended(cluster.create(config, uploaded))
    drawn = [trial.hparams["override_mmdet_config"]["optim_wrapper.optimizer.lr"] for trial in experiment.trials]
    here = make_plan(cluster.home / "experiment.yaml", [f"reproducibility.experiment_seed={seed_of(experiment)}"])
    assert len({*drawn}) == 2
    assert [[lr] for lr in drawn] == [[*draw.values()] for draw in here.draws], "as `python -m model_def search` has it"
    for trial, lr in zip(experiment.trials, drawn, strict=True):
        assert max(report.values["lr"] for report in trial.of("training")) == pytest.approx(lr), "after the warm-up"


@EVERY
@pytest.mark.parametrize("cluster", [(1, 2), (2, 1)], indirect=True, ids=["one node", "two nodes"])
def test_two_processes(cluster: Cluster, config, uploaded, small, shapes_context, tmp_path):
    config |= {"entrypoint": LAUNCHED, "resources": {"slots_per_trial": 2}}
    experiment = cluster.ended(cluster.create(config, uploaded))
    assert not [line for line in cluster.log(experiment) if "Warning" in line]
    torchrun(2, "train", str(small), "--output", str(tmp_path / "here"), cwd=shapes_context)
    assert measured(experiment) == locally(tmp_path / "here")


@EVERY
def test_continued_for_longer(cluster: Cluster, config, uploaded, here):
    """`det experiment continue` after its end, with one more epoch."""
    experiment = cluster.ended(cluster.create(config, uploaded))
    longer = '{"max_epochs": 4}'
    cluster.det("experiment", "continue", "1", "--config", f"hyperparameters.override_mmdet_config.train_cfg={longer}")
    cluster.ended(experiment)
    assert [report.steps_completed for report in experiment.trials[0].of("validation")] == [6, 12, 18, 24]
