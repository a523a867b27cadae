"""What a config must not ask for: what only GPUs can do on a CPU, and to be resumed."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import torch

from model_def.compose import compose
from model_def.compose.tree import dicts
from model_def.errors import ConfigError
from model_def.experiment import experiment_from
from model_def.uninitialised import build_uninitialised

# Of the zoo: with a loss scale, with the plain wrapper only, with a dtype.
AMP = (
    "yolo/yolov3_d53_8xb8-amp-ms-608-273e_coco.py",
    "retinanet/retinanet_r50_fpn_amp-1x_coco.py",
    "mask_rcnn/mask-rcnn_r50_fpn_amp-1x_coco.py",
)


SYNCHRONISED = "strong_baselines/mask-rcnn_r50_fpn_rpn-2conv_4conv1fc_syncbn-all_lsj-100e_coco.py"


def composed(config_file: str, slots: int = 1, **overrides: Any) -> Any:
    hyper = {"config_file": config_file, "global_batch_size": 4, "override_mmdet_config": overrides}
    return compose(experiment_from({"searcher": {"name": "single", "metric": "bbox_mAP"}}, hyper), slots=slots)


@pytest.mark.skipif(torch.cuda.is_available(), reason="mixed precision works here")
@pytest.mark.parametrize("name", AMP)
def test_the_override_that_is_printed_can_be_pasted(name: str) -> None:
    with pytest.raises(ConfigError, match="mixed precision needs a GPU") as caught:
        composed(name)
    key, value = caught.value.problems[0].next.split("=")
    config = composed(name, **{key: value}).config
    assert config.optim_wrapper.type == "OptimWrapper"
    assert not {"loss_scale", "dtype"} & config.optim_wrapper.keys()


@pytest.mark.skipif(torch.cuda.is_available(), reason="mixed precision works here")
def test_what_was_overridden_for_mixed_precision_must_go_too() -> None:
    with pytest.raises(ConfigError, match=r"without the override of optim_wrapper\.dtype"):
        composed(AMP[1], optim_wrapper={"type": "AmpOptimWrapper", "dtype": "bfloat16"})


@pytest.mark.skipif(torch.cuda.is_available(), reason="mixed precision works here")
def test_each_of_several_optimizers_is_named() -> None:
    parts = {
        name: {"type": "AmpOptimWrapper", "optimizer": {"type": "SGD", "lr": 0.1}} for name in ("backbone", "head")
    }
    with pytest.raises(ConfigError, match=r"optim_wrapper\.backbone\.type=OptimWrapper optim_wrapper\.head\.type="):
        composed(AMP[1], optim_wrapper={"_delete_": True, "constructor": "Mine", **parts})


@pytest.mark.skipif(torch.cuda.is_available(), reason="several processes can have it here")
@pytest.mark.parametrize(("slots", "kind"), [(1, "SyncBN"), (2, "BN")])
def test_mmcvs_own_synchronised_batch_norm(slots: int, kind: str) -> None:
    with pytest.raises(ConfigError, match="needs GPUs and several processes") as caught:
        composed(SYNCHRONISED, slots)
    overrides = dict(pair.split("=") for pair in caught.value.problems[0].next.split())
    assert {*overrides.values()} == {kind}
    config = composed(SYNCHRONISED, slots, **overrides).config
    build_uninitialised(config)
    for _, node in dicts(config.model):  # on GPUs a process that looks is alone, whoever trains
        node["type"] = "MMSyncBN" if node.get("type") == kind else node.get("type")
    build_uninitialised(config)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("resume = True", "config_file"),
        ("resume = True\nload_from = 'epoch_3.pth'", "train … --resume epoch_3.pth"),
        ("auto_resume = True", "auto_resume: True"),
    ],
)
def test_a_config_that_would_resume(
    line: str, words: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(f"_base_ = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'\n{line}\n")
    with pytest.raises(ConfigError, match=words):
        composed("mine.py")


def test_an_override_that_would_resume() -> None:
    with pytest.raises(ConfigError, match=r"override_mmdet_config\.resume"):
        composed("retinanet/retinanet_r18_fpn_1x_coco.py", resume=True)
