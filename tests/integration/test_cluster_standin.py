"""The stand-in for a cluster by itself: the real `det` and the real harness with a trial that only counts."""

from __future__ import annotations

import os
import pathlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from determined.common import api
from determined.common.api import authentication, bindings, errors

from tests.cluster import records
from tests.cluster.fixtures import Cluster, cluster
from tests.cluster.records import Trial

__all__ = ["cluster"]  # a fixture

EVERY = pytest.mark.skipif(os.environ.get("CLUSTER") != "all", reason="CLUSTER=all runs it (make soak)")

COUNTING = """
import pathlib, time
import determined as det
from determined import core

info = det.get_cluster_info()
print("on", info.agent_id, flush=True)
with core.init() as context:
    first = 0
    if info.latest_checkpoint:
        with context.checkpoint.restore_path(info.latest_checkpoint) as path:
            first = int((path / "count").read_text())
    for count in range(first + 1, info.trial.hparams["until"] + 1):
        metrics = {"value": count * info.trial.hparams["factor"], "count": count}
        context.train.report_validation_metrics(count, metrics)
        context.train.report_progress(count / info.trial.hparams["until"])
        stop = context.preempt.should_preempt()
        if stop or count % 2 == 0:
            with context.checkpoint.store_path({"steps_completed": count}) as (path, uuid):
                (path / "count").write_text(str(count))
        if stop:
            break
        if count == info.trial.hparams["fails_at"] and info.trial._trial_run_id == 1:
            raise SystemExit("failed as asked")
        time.sleep(info.trial.hparams["pause"])
print("counted", flush=True)
"""


REFUSING = """
import determined as det
from determined import core

if det.get_cluster_info().trial.trial_id == 1:
    with core.init():
        raise det.InvalidHP("not these")
"""


@pytest.fixture
def context(tmp_path: pathlib.Path) -> pathlib.Path:
    """The context of a trial that counts."""
    folder = tmp_path / "counting"
    folder.mkdir()
    (folder / "count.py").write_text(COUNTING)
    return folder


def counting(until: int = 4, **settings: Any) -> dict[str, Any]:
    """An experiment that counts to a number."""
    hyperparameters = {"until": until, "factor": 0.5, "fails_at": 0, "pause": 0.0} | settings.pop("hyperparameters", {})
    searcher = {"name": "single", "metric": "value", "smaller_is_better": False}
    return {
        "name": "counting", "entrypoint": "python3 count.py", "hyperparameters": hyperparameters, "searcher": searcher,
        "max_restarts": 0, "reproducibility": {"experiment_seed": 1}, **settings,
    }  # fmt: skip


def counted(trial: Trial) -> list[int]:
    """The numbers that the trial has counted, those taken back left out."""
    return [metrics.steps_completed for metrics in trial.of("validation")]


def wait_for_count(cluster: Cluster, trial: Trial, count: int) -> None:
    """Wait until the trial has come to a number."""
    assert cluster.master.wait_for(lambda: count in counted(trial), timeout=60), trial.logs


def test_what_a_master_refuses(cluster: Cluster, context: pathlib.Path, write_yaml, validator):
    """The platform's schemas decide; nothing is created."""
    wrong = write_yaml(counting(max_restarts=-1))
    said = cluster.det("experiment", "create", str(wrong), str(context), code=1).stderr
    assert "max_restarts: -1 is less than the minimum of 0" in said
    assert not cluster.master.experiments


def test_an_experiment_from_its_creation_to_its_end(cluster: Cluster, context: pathlib.Path, write_yaml):
    path = str(write_yaml(counting(hyperparameters={"factor": 4.0e-5})))  # `--config` writes it as 4e-05
    said = cluster.det("experiment", "create", path, str(context), "--config", "hyperparameters.until=3", "--follow")
    assert "Created experiment 1" in said.stdout
    assert "counted" in said.stdout
    experiment = cluster.ended(cluster.master.experiments[1])
    [trial] = experiment.trials
    assert counted(trial) == [1, 2, 3]
    assert [checkpoint.steps_completed for checkpoint in cluster.master.checkpoints.values()] == [2]
    assert experiment.best()[1].values["value"] == 3 * 4e-5


@EVERY
def test_a_failure_is_restarted_from_the_last_checkpoint(cluster: Cluster, context: pathlib.Path):
    config = counting(5, hyperparameters={"fails_at": 3}, max_restarts=1)
    experiment = cluster.ended(cluster.create(config, context))
    [trial] = experiment.trials
    assert (trial.restarts, counted(trial)) == (1, [1, 2, 3, 4, 5])
    assert [metrics.steps_completed for metrics in trial.metrics if metrics.archived] == [3]


@EVERY
def test_a_failure_without_restarts_ends_it(cluster: Cluster, context: pathlib.Path):
    config = counting(5, hyperparameters={"fails_at": 3})
    experiment = cluster.ended(cluster.create(config, context), records.ERROR)
    assert "failed as asked\n" in cluster.log(experiment)
    cluster.det("experiment", "continue", "1", "--config", "hyperparameters.until=6")
    [trial] = cluster.ended(experiment).trials
    assert counted(trial) == [1, 2, 3, 4, 5, 6]


@EVERY
def test_pause_and_activate(cluster: Cluster, context: pathlib.Path):
    experiment = cluster.create(counting(8, hyperparameters={"pause": 0.5}), context)
    [trial] = experiment.trials
    wait_for_count(cluster, trial, 1)
    cluster.det("experiment", "pause", "1")
    assert cluster.master.wait_for(lambda: trial.allocation is None, timeout=60)
    assert (experiment.state, trial.state) == (records.PAUSED, records.PAUSED)
    assert len(counted(trial)) < 8
    cluster.det("experiment", "activate", "1")
    assert counted(cluster.ended(experiment).trials[0]) == list(range(1, 9))


@EVERY
@pytest.mark.parametrize("command", ["cancel", "kill"])
def test_a_stop_is_the_end(cluster: Cluster, context: pathlib.Path, command: str):
    experiment = cluster.create(counting(1000, hyperparameters={"pause": 0.5}), context)
    wait_for_count(cluster, experiment.trials[0], 1)
    cluster.det("experiment", command, "1")
    cluster.ended(experiment, records.CANCELED)
    saved = len(cluster.master.checkpoints)
    assert saved if command == "cancel" else "counted\n" not in cluster.log(experiment)


@EVERY
def test_searches(cluster: Cluster, context: pathlib.Path):
    """The values of a search lie in its ranges and differ, a grid has all points, and two trials run at once."""
    drawn = {"factor": {"type": "log", "base": 10, "minval": -2, "maxval": 0}}
    searcher = {"name": "random", "metric": "value", "smaller_is_better": False, "max_trials": 3}
    experiment = cluster.ended(cluster.create(counting(1, hyperparameters=drawn, searcher=searcher), context))
    factors = [trial.hparams["factor"] for trial in experiment.trials]
    assert len(set(factors)) == 3
    assert all(0.01 <= factor <= 1 for factor in factors)
    assert [trial.latest("validation").values["value"] for trial in experiment.trials] == factors

    grid = {
        "factor": {"type": "double", "minval": 0, "maxval": 1, "count": 2},
        "until": {"type": "categorical", "vals": [1, 2]},
    }
    config = counting(hyperparameters=grid, searcher={"name": "grid", "metric": "value"})
    experiment = cluster.ended(cluster.create(config, context))
    points = [(trial.hparams["factor"], trial.hparams["until"]) for trial in experiment.trials]
    assert points == [(1, 2), (1, 1), (0, 2), (0, 1)], "a master begins with the last one"


@EVERY
def test_tested_before_it_is_created(cluster: Cluster, context: pathlib.Path, write_yaml):
    """`--test` asks whether the configuration is right, and then makes an experiment of one batch of it."""
    said = cluster.det("experiment", "create", str(write_yaml(counting())), str(context), "--test").stdout
    assert "configuration validation succeeded" in said
    assert "Model definition test succeeded" in said
    assert cluster.master.experiments[1].config["searcher"]["max_length"] == {"batches": 1}


@EVERY
def test_refused_hyperparameters_end_a_trial(cluster: Cluster, context: pathlib.Path):
    """A trial that refuses its draw counts as completed, and the search is not told."""
    (context / "count.py").write_text(REFUSING + COUNTING)
    searcher = {"name": "random", "metric": "value", "max_trials": 2}
    experiment = cluster.ended(cluster.create(counting(1, searcher=searcher), context))
    assert [counted(trial) for trial in experiment.trials] == [[], [1]]
    assert {trial.state for trial in experiment.trials} == {records.COMPLETED}


@EVERY
def test_a_log_policy_cancels_restarts(cluster: Cluster, context: pathlib.Path):
    """The line that has matched is the log's last; `continue` starts anew."""
    policy = {"name": "as asked", "pattern": "failed as a.ked", "action": "cancel_retries"}
    config = counting(5, hyperparameters={"fails_at": 3}, max_restarts=5, log_policies=[policy])
    experiment = cluster.ended(cluster.create(config, context), records.ERROR)
    assert cluster.log(experiment)[-1] == '(log "failed as asked" matched regex "failed as a.ked")\n'
    assert [trial.restarts for trial in experiment.trials] == [0]
    cluster.det("experiment", "continue", "1")
    cluster.ended(experiment)


@EVERY
@pytest.mark.parametrize(
    ("cluster", "state", "nodes"),
    [((2, 1), records.COMPLETED, ["on node-0\n", "on node-1\n"]), ((1, 2), records.ERROR, ["on node-0\n"])],
    indirect=["cluster"],
)
def test_a_log_policy_excludes_a_node(cluster: Cluster, context: pathlib.Path, state: str, nodes: list[str]):
    """The trial is started again on another node, or it has failed where there is none."""
    policy = {"name": "as asked", "pattern": "failed as a.ked", "action": {"type": "exclude_node"}}
    config = counting(5, hyperparameters={"fails_at": 3}, max_restarts=5, log_policies=[policy])
    experiment = cluster.ended(cluster.create(config, context), state)
    log = cluster.log(experiment)
    assert [line for line in log if line.startswith("on node-")] == nodes
    told = "(log '\"failed as asked\"' matched regex failed as a.ked) therefore will not schedule on node-0\n"
    assert [line for line in log if "will not schedule" in line] == [told]


@EVERY
def test_an_adaptive_search(cluster: Cluster, context: pathlib.Path):
    """Trials that are not among the best of a rung are stopped: they see it, and the next ones begin."""
    searcher = {
        "name": "adaptive_asha", "metric": "value", "smaller_is_better": False, "time_metric": "count", "max_time": 8,
        "max_trials": 4, "max_concurrent_trials": 2, "bracket_rungs": [2], "divisor": 2,
    }  # fmt: skip
    drawn = {"factor": {"type": "double", "minval": 0.0, "maxval": 1.0}}
    experiment = cluster.ended(cluster.create(counting(8, hyperparameters=drawn, searcher=searcher), context))
    assert len(experiment.trials) == 4
    assert {trial.state for trial in experiment.trials} == {records.COMPLETED}


@EVERY
def test_only_the_checkpoints_asked_for_are_kept(cluster: Cluster, context: pathlib.Path):
    keep = {"save_experiment_best": 0, "save_trial_best": 1, "save_trial_latest": 2}
    config = counting(9, hyperparameters={"factor": -1.0}, checkpoint_storage=keep)
    cluster.ended(cluster.create(config, context))
    saved = cluster.master.checkpoints.values()
    assert {one.steps_completed: one.deleted for one in saved} == {2: False, 4: True, 6: False, 8: False}
    files = {path.parent.name for path in cluster.master.storage.glob("*/count")}
    assert files == {one.uuid for one in saved if not one.deleted}


@EVERY
def test_described(cluster: Cluster, context: pathlib.Path):
    """`det experiment describe` and `det trial describe` read what the trials have reported."""
    cluster.ended(cluster.create(counting(2), context))
    said = cluster.det("experiment", "describe", "1", "--metrics").stdout
    assert "Validation Metric: value" in said
    assert "COMPLETED" in said
    said = cluster.det("trial", "describe", "1").stdout
    assert '"value": 1.0' in said
    assert '"steps_completed": 2' in said


@EVERY
def test_all_gather(cluster: Cluster, context: pathlib.Path):
    """Each of the peers gets what all have sent, once all have."""
    experiment = cluster.create(counting(1000, hyperparameters={"pause": 0.5}), context)
    name = experiment.trials[0].allocation.id
    session = authentication.login(cluster.master.agent.url, "determined", "")

    def gather(number: int) -> list[dict[str, Any]]:
        body = bindings.v1AllocationAllGatherRequest(
            allocationId=name, requestUuid=str(number), data={"number": number}, numPeers=2
        )
        return sorted(bindings.post_AllocationAllGather(session, allocationId=name, body=body).data, key=str)

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(gather, [1, 2])) == [[{"number": 1}, {"number": 2}]] * 2


def test_a_request_that_it_does_not_know_is_kept(cluster: Cluster):
    session = authentication.login(cluster.master.agent.url, "determined", "")
    with pytest.raises(errors.NotFoundException):
        session.get("/api/v1/nothing")
    assert cluster.master.unknown == ["GET /api/v1/nothing"]
    cluster.master.unknown.clear()


def test_who_is_not_logged_in_is_refused(cluster: Cluster):
    session = api.Session(cluster.master.agent.url, "determined", "wrong", None)
    with pytest.raises(errors.UnauthenticatedException):
        bindings.get_GetExperiments(session)
