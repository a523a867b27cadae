"""`${NAME}` in an experiment: what it becomes, and where it is left alone. (What is said of wrong ones: test_wrong.)"""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from model_def.compose import compose
from model_def.errors import ExperimentError
from model_def.experiment import experiment_from, load_experiment
from model_def.explain import explain
from model_def.variables import expand
from model_def.yaml_source import Source

TEXT = """\
name: ${NAME_OF_MASTER}
environment: {environment_variables: [CHANNELS=16, DATA=/cluster]}
searcher: {name: single, metric: bbox_mAP}
hyperparameters:
  config_file: retinanet/retinanet_r18_fpn_1x_coco.py
  global_batch_size: ${SIZE:-4}
  override_mmdet_config:
    optim_wrapper.optimizer.lr: ${LR:-1e-3}
    train_dataloader.dataset.data_root: ${DATA}/coco
    model.neck.out_channels: ${CHANNELS}
"""


@pytest.fixture
def path(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    for name in ("SIZE", "LR", "CHANNELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA", "/here")
    path = tmp_path / "tiny.yaml"
    path.write_text(TEXT)
    return path


def test_a_whole_value_is_read_as_yaml_and_a_part_is_text(path: pathlib.Path) -> None:
    one = load_experiment(path)
    assert one.hyperparameters.global_batch_size == 4
    overrides = one.hyperparameters.override_mmdet_config
    assert overrides["optim_wrapper.optimizer.lr"] == 0.001
    assert overrides["train_dataloader.dataset.data_root"] == "/here/coco"


def test_the_process_comes_before_the_yamls_container(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_experiment(path).hyperparameters.override_mmdet_config["model.neck.out_channels"] == 16
    monkeypatch.setenv("CHANNELS", "32")
    assert load_experiment(path).hyperparameters.override_mmdet_config["model.neck.out_channels"] == 32


def test_determineds_own_fields_are_left_alone(path: pathlib.Path) -> None:
    assert load_experiment(path).name == "${NAME_OF_MASTER}"  # the master does not replace anything either


def test_the_command_line_has_variables_too(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIZE", "8")
    one = load_experiment(path, ["optim_wrapper.optimizer.lr=${LR:-0.5}"])
    assert one.hyperparameters.global_batch_size == 8
    assert one.hyperparameters.override_mmdet_config["optim_wrapper.optimizer.lr"] == 0.5


def test_a_place_shows_the_variable(path: pathlib.Path) -> None:
    one = load_experiment(path)
    assert one.where("hyperparameters", "global_batch_size").endswith(
        "tiny.yaml:6:3 (hyperparameters.global_batch_size, ${SIZE:-4})"
    )
    (value,) = explain(path, (), ["optim_wrapper.optimizer.lr"]).values()
    assert value.comment.startswith("tiny.yaml:8 ${LR:-1e-3}")


def test_on_a_cluster_the_container_has_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA", "/container")
    config = {"searcher": {"name": "single", "metric": "bbox_mAP"}}
    hyper = {
        "config_file": "retinanet/retinanet_r18_fpn_1x_coco.py",
        "global_batch_size": 2,
        "override_mmdet_config": {"train_dataloader.dataset.data_root": "${DATA}/coco"},
    }
    composed = compose(experiment_from(config, hyper), slots=1)
    assert composed.config.train_dataloader.dataset.data_root == "/container/coco"
    monkeypatch.delenv("DATA")
    with pytest.raises(ExperimentError, match="DATA isn't set"):
        experiment_from(config, hyper)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${N:-3}", 3),
        ("${N:-1e-4}", 1e-4),
        ("${N:-true}", True),
        ("${N:-null}", None),
        ("${N:-}", ""),
        ("${N:-a b}", "a b"),
        ("${N:-[1, 2]}", "[1, 2]"),  # a scalar only
        ("x${N:-3}", "x3"),
        ("${N:-a}/${M:-b}", "a/b"),
        ("$${N}", "${N}"),
        ("$5 and $N", "$5 and $N"),
    ],
)
def test_values(text: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("N", "")  # empty counts as unset, as in a shell
    found, _, problems = expand({"hyperparameters": {"a": [{"b": text}]}}, Source())
    assert found["hyperparameters"]["a"][0]["b"] == value
    assert problems == []
