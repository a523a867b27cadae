"""Our entry points, the new form and the old one, with the container files of a trial but without a master.

The master's HTTP is not played here: the core context is the local one. What is real: `det.get_cluster_info()`, the
loading of the trial class as Determined's harness does it, composition from the master's config, training.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import determined as det
import pytest
import yaml
from determined import core, load, pytorch
from determined.common import context

from model_def import train
from model_def.experiment import load_experiment
from model_def.platform.cluster import ends_after
from model_def.platform.local import local_platform
from model_def.platform.run_directory import RunDirectory
from tests.integration.test_parity import small_experiment

RETINANET = "retinanet/retinanet_r18_fpn_1x_coco.py"


@pytest.fixture
def trial_context(shapes_context, write_yaml, tmp_path, monkeypatch):
    """The context of a small trial, and the container's view of its experiment."""
    monkeypatch.chdir(shapes_context)
    path = small_experiment(RETINANET, write_yaml)
    config = yaml.safe_load(path.read_text())
    be_a_trial_of(config, monkeypatch)
    run = RunDirectory(tmp_path / "run", metric="bbox_mAP", smaller_is_better=False)
    run.path.mkdir()
    with local_platform(load_experiment(path), run, core.DummyDistributedContext()) as platform:
        # Off a cluster there is no copy of the uploaded context for Determined to put into checkpoints.
        monkeypatch.setattr("determined.constants.MANAGED_TRAINING_MODEL_COPY", str(platform.code))
        yield platform.context, run


def be_a_trial_of(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    info = det.ClusterInfo(
        master_url="http://127.0.0.1:1", cluster_id="c", agent_id="a", slot_ids=[0], task_id="t", allocation_id="a",
        session_token="s", task_type="TRIAL",
        trial_info=det.TrialInfo(
            trial_id=1, experiment_id=1, trial_seed=0, hparams=config["hyperparameters"], config=config,
            steps_completed=0, trial_run_id=0, debug=False, inter_node_network_interface=None,
        ),
    )  # fmt: skip
    monkeypatch.setattr(det, "get_cluster_info", lambda: info)


def validations(run: RunDirectory) -> list[int]:
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    return [line["steps_completed"] for line in lines if line["group"] == "validation"]


def test_the_new_entry_point(trial_context):
    trial, run = trial_context
    train.train_on_cluster(trial)
    assert validations(run) == [6, 12, 18], "the config's own moments"
    assert (run.path / "checkpoints/latest/model.pth").exists()


def test_the_old_entry_point(trial_context, monkeypatch):
    monkeypatch.setitem(sys.modules, "model_def", sys.modules["model_def"])  # Determined imports it anew: put it back
    trial, run = trial_context
    trial_class = load.trial_class_from_entrypoint("model_def:MMDetTrial")
    assert issubclass(trial_class, pytorch.PyTorchTrial)
    with pytest.raises(SystemExit) as ended:
        trial_class(trial)
    assert ended.value.code == 0
    assert validations(run) == [6, 12, 18]


def test_off_a_cluster_it_says_what_to_run(capsys):
    assert train.main() == 2
    assert "python -m model_def train EXPERIMENT.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "ends"),
    [
        ({"max_restarts": 5}, False),
        ({"max_restarts": 0}, True),
        ({"log_policies": [{"name": "x", "pattern": "^mark: w", "action": "cancel_retries"}]}, True),
        ({"log_policies": [{"pattern": "mark", "action": {"type": "cancel_retries"}}]}, True),
        ({"log_policies": [{"name": "x", "pattern": "mark", "action": "exclude_node"}]}, False),
        ({"log_policies": [{"name": "x", "pattern": "mark"}, {"name": "y", "action": "cancel_retries"}]}, False),
        ({"log_policies": [{"name": "x", "pattern": r"\pN", "action": "cancel_retries"}]}, False),
    ],
)
def test_whether_a_failure_ends_the_trial(settings, ends: bool, monkeypatch):
    be_a_trial_of({"hyperparameters": {}, **settings}, monkeypatch)
    assert ends_after("mark: what\n  next: this") is ends


def test_the_uploaded_context_is_small():
    """What `det experiment create … .` would pack, by Determined's own code and our .detignore."""
    files = context.read_v1_context(pathlib.Path(__file__).parents[2])
    assert {"startup-hook.sh", "model_def/train.py"} <= {item.path for item in files}
    assert sum(len(item.content) for item in files) < 2_000_000
