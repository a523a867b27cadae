"""`explain`: every value has the place that gave it, and the text loads back to the same config."""

import json

import pytest
from mmengine.config import Config

from model_def import cli
from model_def.compose import compose
from model_def.experiment import load_experiment
from tests.support.commands import REPO

BASE = """\
model = dict(
    type='RetinaNet',
    backbone=dict(
        depth=50,
        num_stages=4))
"""
CONFIG = """\
_base_ = ['./base.py', 'mmdet::_base_/default_runtime.py']
steps = [1, 2]
model = dict(backbone=dict(depth=18))
train_dataloader = dict(dataset=dict(type='CocoDataset', pipeline=[dict(type='Resize', scale=(9, 9))]))
train_dataloader['num_workers'] = 3
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=0.1, betas=steps))
"""
PURE = """\
from mmengine.config import read_base

with read_base():
    from .pure_base import *

model.update(dict(backbone=dict(depth=34)))
"""
MERGED = "optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW'))\n"
EXPERIMENT = """\
name: x
entrypoint: python3 -m model_def.train
hyperparameters:
  config_file: config.py
  merge_config: merged.py
  global_batch_size: 2
  override_mmdet_config:
    train_cfg.max_epochs: 2
    train_dataloader.dataset.pipeline:
      - {type: Resize, scale: [9, 9]}
searcher: {name: single, metric: bbox_mAP}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name, text in (("base.py", BASE), ("config.py", CONFIG), ("merged.py", MERGED), ("x.yaml", EXPERIMENT)):
        (tmp_path / name).write_text(text)
    (tmp_path / "pure.py").write_text(PURE)
    (tmp_path / "pure_base.py").write_text(
        BASE + CONFIG.replace("model = dict(backbone=dict(depth=18))", "").split("\n", 1)[1]
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def explain(place, capsys):
    def run(*arguments):
        code = cli.main(["explain", "x.yaml", *arguments])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return run


@pytest.fixture
def origins(explain):
    def run(*arguments):
        return {row["path"]: row for row in json.loads(explain("--json", *arguments))}

    return run


def test_each_value_has_its_place(origins):
    found = {path: row["origin"] for path, row in origins().items()}
    assert found["model.type"] == "base.py:2"
    assert found["model.backbone.depth"] == "config.py:3"
    assert found["model.backbone.num_stages"] == "base.py:5"
    assert found["train_dataloader.num_workers"] == "config.py:5"
    assert found["train_dataloader.batch_size"] == "x.yaml:6"
    assert found["optim_wrapper.optimizer.type"] == "merged.py:1"
    assert found["default_hooks.timer.type"].startswith("default_runtime.py:")


def test_a_name_is_followed_to_what_it_stands_for(origins, place):
    (place / "merged.py").write_text("log_level = 'INFO'\n")
    assert origins()["optim_wrapper.optimizer.betas"]["origin"] == "config.py:2"


def test_what_was_replaced_is_told(origins, explain):
    assert origins()["model.backbone.depth"]["replaced"] == [{"value": "50", "origin": "base.py:4"}]
    assert "depth=18,  # config.py:3, replaced 50 (base.py:4)" in explain("model.backbone")


def test_a_value_that_is_written_again_has_the_newer_place(origins):
    assert origins()["train_cfg.max_epochs"]["origin"] == "x.yaml:8"
    assert origins()["train_dataloader.dataset.pipeline.0.scale"]["origin"] == "x.yaml:10"
    assert origins()["train_dataloader.dataset.pipeline.0.type"]["origin"] == "x.yaml:10"


def test_the_command_line_is_a_place(origins):
    row = origins("train_cfg.max_epochs=5")["train_cfg.max_epochs"]
    assert row["origin"] == "command line (train_cfg.max_epochs=5)"
    assert row["value"] == 5


def test_weights_that_training_finds_are_told(origins):
    assert "once training begins: command line" in origins("use_pretrained=w.pth")["load_from"]["origin"]
    assert origins()["load_from"]["origin"].startswith("default_runtime.py:")


def test_pure_python_configs(origins, place):
    (place / "x.yaml").write_text(EXPERIMENT.replace("config.py", "pure.py"))
    found = origins()
    assert found["model.backbone.depth"]["origin"] == "pure.py:6"
    assert found["model.backbone.depth"]["replaced"][0] == {"value": "50", "origin": "pure_base.py:4"}
    assert found["model.backbone.num_stages"]["origin"] == "pure_base.py:5"


def test_only_the_parts_that_were_asked_for(origins):
    assert {path.split(".")[0] for path in origins("model.backbone", "train_cfg")} == {"model", "train_cfg"}


def test_an_unknown_part(place, capsys):
    assert cli.main(["explain", "x.yaml", "model.backbon"]) == 2
    assert "did you mean `model.backbone`" in capsys.readouterr().err


def test_differences(explain, place):
    lines = explain("model", "train_cfg", "--diff", "zoo", "train_cfg.max_epochs=7").splitlines()
    assert lines == [
        "- train_cfg.max_epochs = 2  # config.py:6",
        "+ train_cfg.max_epochs = 7  # command line (train_cfg.max_epochs=7)",
    ]
    (place / "y.yaml").write_text(EXPERIMENT.replace("max_epochs: 2", "max_epochs: 3"))
    assert explain("--diff", "y.yaml").splitlines() == [
        "- train_cfg.max_epochs = 3  # y.yaml:8",
        "+ train_cfg.max_epochs = 2  # x.yaml:8",
    ]


@pytest.mark.parametrize("name", ["mask_rcnn/mask_rcnn_r50_fpn_1x_coco", "rtmdet/rtmdet_tiny_8xb32_300e_coco"])
def test_it_is_python_that_loads_back_equal(name, tmp_path, capsys):
    path = REPO / "experiments" / f"{name}.yaml"
    assert cli.main(["explain", str(path)]) == 0
    (tmp_path / "explained.py").write_text(capsys.readouterr().out)
    again = Config.fromfile(str(tmp_path / "explained.py"))
    assert again.to_dict() == compose(load_experiment(path), slots=1).config.to_dict()


def test_every_value_of_a_real_experiment_has_a_file_and_a_line(capsys):
    path = REPO / "experiments/rtmdet/rtmdet_tiny_8xb32_300e_coco.yaml"
    assert cli.main(["explain", str(path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    nowhere = [row["path"] for row in rows if not row["origin"].rsplit(":", 1)[-1].isdigit()]
    assert not [name for name in nowhere if name.split(".")[0] in ("model", "train_dataloader", "optim_wrapper")]
