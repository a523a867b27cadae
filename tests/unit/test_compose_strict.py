"""Strictness without false alarms: the zoo's own files pass, and a `+` says that something is meant."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from model_def.compose import compose
from model_def.compose.known import RUNNER
from model_def.compose.variables import unread
from model_def.errors import ConfigError
from model_def.experiment import experiment_from
from model_def.experiment_types import Experiment
from model_def.zoo import zoo

RETINANET = "retinanet/retinanet_r18_fpn_1x_coco.py"
# Bases of the zoo that define variables and use them themselves.
PLAIN = [
    "_base_/datasets/coco_instance.py",
    "_base_/datasets/objects365v1_detection.py",
    "_base_/schedules/schedule_2x.py",
    "_base_/schedules/schedule_20e.py",
    "_base_/default_runtime.py",
]


@pytest.fixture
def experiment(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Experiment]:
    monkeypatch.chdir(tmp_path)

    def make(config: str = RETINANET, *, merge: str = "", mine: str = "", **overrides: object) -> Experiment:
        hyper = {"config_file": config, "global_batch_size": 2, "override_mmdet_config": overrides}
        for name, text in (("more.py", merge), ("mine.py", mine)):
            (tmp_path / name).write_text(text)
        hyper |= ({"merge_config": "more.py"} if merge else {}) | ({"config_file": "mine.py"} if mine else {})
        return experiment_from({"searcher": {"name": "single", "metric": "bbox_mAP"}}, hyper)

    return make


@pytest.mark.parametrize("name", PLAIN)
def test_a_base_of_the_zoo_is_a_merge_config_and_so_is_a_copy_of_it(
    name: str, experiment: Callable[..., Experiment], tmp_path: pathlib.Path
) -> None:
    compose(experiment(merge=f"_base_ = 'mmdet::{name}'\n"), slots=1)
    copied = (zoo() / name).read_text().replace("batch_size=2,", "").replace("batch_size=1,", "")  # it is decided
    compose(experiment(merge=copied), slots=1)


def test_files_of_the_zoo_read_their_variables() -> None:
    """What is left are slips of the zoo itself: names that nothing reads."""
    files = [path for path in sorted(zoo().glob("*/*.py"))[::25] if "bytetrack" not in str(path)]
    found = {variable.name for path in files for variable in unread(path, lambda file: True)} - {*RUNNER}
    assert found <= {"data_root", "dataset_type", "test_pipeline", "norm_cfg", "max_iters", "interval"}, found


@pytest.mark.parametrize(
    "text",
    [
        "lr = 0.1\noptim_wrapper = dict(optimizer=dict(lr=lr))\n",  # a helper
        "_note = 'for birds'\nlog_level = 'INFO'\n",  # private
        "_base_ = 'base.py'\noptim_wrapper = dict(optimizer=dict(lr=_base_.rate))\n",  # of its base
        "_base_ = 'base.py'\noptim_wrapper = dict(optimizer=dict(lr={{_base_.rate}}))\n",  # in mmengine's older form
        "optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))\n",  # an argument that the config leaves out
        "default_hooks = dict(invalid=dict(type='CheckInvalidLossHook', interval=5))\n",  # a hook of its own
        "model = dict(test_cfg=dict(_delete_=True, score_thr=0.1, mine=3))\n",  # a section of its own
        "train_dataloader = dict(dataset=dict(metainfo=dict(classes=('a',), mood='good')))\n",  # for one's own metric
        "model = dict(neck=dict(out_channels=64.0))\n",  # a whole number
        "model = dict(backbone=dict(init_cfg=None))\n",
    ],
)
def test_no_false_alarm_for_a_file_of_ones_own(
    text: str, experiment: Callable[..., Experiment], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "base.py").write_text("rate = 0.1\n")
    compose(experiment(merge=text), slots=1)
    base = "" if "_base_" in text else f"_base_ = 'mmdet::{RETINANET}'\n"
    if base and "_delete_" not in text:
        compose(experiment(mine=base + text), slots=1)


def test_the_new_style_imports_what_it_reads(experiment: Callable[..., Experiment], tmp_path: pathlib.Path) -> None:
    (tmp_path / "birds.py").write_text("rate = 0.1\nspare = 3\n")
    text = (
        "from mmengine.config import read_base\nwith read_base():\n    from .birds import *\n"
        "optim_wrapper = dict(optimizer=dict(lr=rate))\n"
    )
    with pytest.raises(ConfigError, match="`spare` has no effect") as caught:
        compose(experiment(merge=text), slots=1)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].where.startswith("birds.py:2:1")


@pytest.mark.parametrize(
    "overrides",
    [
        {"+model.backbone.mine": 3},
        {"+optim_wrapper.optimizer.lr": "fast"},
        {"+optim_wrapper.optimizer": {"lr": "fast", "mine": 3}},
        {"+train_pipeline": []},
        {"model.bbox_head.loss_cls": {"_delete_": True, "type": "CrossEntropyLoss", "class_weight": [1.0, 2.0]}},
        {"train_dataloader.dataset.pipeline.2.scale": 96},  # an integer is a scale as well
        {"val_evaluator.metric": ["bbox", "proposal"]},
        {"optim_wrapper.optimizer.lr": 1},
        {"val_evaluator": [{"type": "CocoMetric", "metric": "bbox"}]},
        {"param_scheduler": {"_delete_": True, "type": "LinearLR", "start_factor": 0.1, "by_epoch": False}},
    ],
)
def test_no_false_alarm_for_an_override(overrides: dict[str, object], experiment: Callable[..., Experiment]) -> None:
    compose(experiment(**overrides), slots=1)


def test_what_an_override_mends_is_no_mistake(experiment: Callable[..., Experiment]) -> None:
    text = "model = dict(neck=dict(num_outs='five'))\n"
    with pytest.raises(ConfigError, match=r"num_outs` can't be a string: 'five'\n  where:   more.py:1:33"):
        compose(experiment(merge=text), slots=1)
    broken = "model = dict(backbone=dict(type='SwinTransformer', embed_dims=96))\n"
    with pytest.raises(ConfigError, match="still has `depth`, `num_stages`, `norm_eval`, `style` of its former `type`"):
        compose(experiment(merge=broken), slots=1)
    compose(experiment(merge=broken.replace("type=", "_delete_=True, type=")), slots=1)
