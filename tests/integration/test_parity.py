"""What `Runner.train()` computes, we compute, bit for bit: the first promise, for four detectors and both loops.

Each is trained for 18 iterations, over three epochs where the loop has any, by our command and, from the config.py that
it wrote, by stock mmengine in another process.
"""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import pytest

from model_def.compose import compose
from model_def.experiment import load_experiment
from tests.support.commands import as_stock, model_def, stock
from tests.support.shrink import shrink

SMALL_RESNET = {"depth": 18, "base_channels": 8, "frozen_stages": -1, "norm_eval": False}
SMALL_FPN = {"in_channels": [8, 16, 32, 64], "out_channels": 16}
SMALL_CSP = {"in_channels": [32, 64, 128], "out_channels": 32, "num_csp_blocks": 1}
# In 18 iterations the running statistics must get somewhere, else every prediction is infinite.
FAST_NORM = {
    f"model.{part}.norm_cfg.{key}": value
    for part in ("backbone", "neck", "bbox_head")
    for key, value in (("type", "BN"), ("momentum", 0.5))
}
SCHEDULE = [
    {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "begin": 0, "end": 5},
    {"type": "MultiStepLR", "begin": 0, "end": 3, "by_epoch": True, "milestones": [2], "gamma": 0.1},
]

EPOCHS = {"train_cfg": {"max_epochs": 3}, "param_scheduler": SCHEDULE}
ITERATIONS = {
    "train_cfg": {
        "_delete_": True,
        "type": "IterBasedTrainLoop",
        "max_iters": 18,
        "val_interval": 7,
        "dynamic_intervals": [[14, 3]],
    },
    "train_dataloader.sampler": {"_delete_": True, "type": "InfiniteSampler", "shuffle": True},
    "param_scheduler": [{"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "begin": 0, "end": 15}],
}

RETINANET = {
    "model.backbone": SMALL_RESNET,
    "model.neck": SMALL_FPN,
    "model.bbox_head": {"in_channels": 16, "feat_channels": 16, "stacked_convs": 1},
    "model.test_cfg.score_thr": 0.0,
    "optim_wrapper.clip_grad": {"max_norm": 10},
}

MODELS: dict[str, dict[str, Any]] = {
    "retinanet/retinanet_r18_fpn_1x_coco.py": RETINANET | EPOCHS,
    "retinanet/retinanet_r18_fpn_1x_coco.py by iterations": RETINANET | ITERATIONS,
    "faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py": {
        "model.backbone": SMALL_RESNET,
        "model.neck": SMALL_FPN,
        "model.rpn_head": {"in_channels": 16, "feat_channels": 16},
        "model.roi_head": {"bbox_roi_extractor.out_channels": 16, "bbox_head.in_channels": 16},
        "model.roi_head.bbox_head.fc_out_channels": 32,
        "model.test_cfg.rcnn.score_thr": 0.0,
        "optim_wrapper.clip_grad": {"max_norm": 10},
        **EPOCHS,
    },
    "yolox/yolox_tiny_8xb8-300e_coco.py": {
        **FAST_NORM,
        "model.backbone.widen_factor": 0.125,
        "model.neck": SMALL_CSP,
        "model.bbox_head": {"in_channels": 32, "feat_channels": 32},
        "model.data_preprocessor.batch_augments.0.interval": 4,  # the size changes within the run
        "model.test_cfg.score_thr": 0.0,
        "train_cfg": {"max_epochs": 3, "val_interval": 1},
        "param_scheduler.0.end": 1,
        "param_scheduler.1": {"begin": 1, "T_max": 1, "end": 2},
        "param_scheduler.2": {"begin": 2, "end": 3},
        "custom_hooks.0.num_last_epochs": 1,  # mosaic and mixup end, the L1 loss begins
        "custom_hooks.2.momentum": 0.3,  # else the averaged weights would stay where they began
    },
    "rtmdet/rtmdet_tiny_8xb32-300e_coco.py": {
        **FAST_NORM,
        "model.backbone.widen_factor": 0.125,
        "model.neck": SMALL_CSP,
        "model.bbox_head": {"in_channels": 32, "feat_channels": 32},
        "model.test_cfg.score_thr": 0.0,
        "train_cfg": {"max_epochs": 3, "val_interval": 2, "dynamic_intervals": [[2, 1]]},
        "param_scheduler.0.end": 5,
        "param_scheduler.1": {"begin": 1, "T_max": 2, "end": 3},
        "custom_hooks.0.momentum": 0.3,
        "custom_hooks.1.switch_epoch": 2,
    },
}


@pytest.mark.parametrize("name", MODELS)
def test_equal_to_stock(name: str, shapes_context: pathlib.Path, write_yaml, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(shapes_context)
    output = tmp_path / "output"
    model_def("train", str(small_experiment(name, write_yaml)), "--output", str(output), cwd=shapes_context)
    ours = as_stock(output / "metrics.jsonl")
    theirs = stock(output / "config.py", tmp_path / "stock", cwd=shapes_context)
    assert [line["group"] for line in ours].count("training") == 18
    assert [line["group"] for line in ours].count("validation") >= 2
    for our, their in zip(ours, theirs, strict=True):
        assert our == their
    validations = [line["metrics"] for line in ours if line["group"] == "validation"]
    assert any(metrics["bbox_mAP"] > 0 or metrics["AR@100"] > 0 for metrics in validations), (
        "0 throughout proves nothing"
    )


def small_experiment(name: str, write_yaml) -> pathlib.Path:
    """An experiment YAML of one of the MODELS in small: 18 iterations, reported one by one."""
    experiment = {
        "name": "parity",
        "entrypoint": "python3 -m model_def.train",
        "hyperparameters": {
            "config_file": name.split()[0],
            "global_batch_size": 4,
            "pictures": 0,  # they cost more than so small a training; test_watching_runs.py has some
            "dataset": {
                "root": "data/shapes",
                "train": {"ann_file": "train.json", "img_prefix": "train/"},
                "val": {"ann_file": "val.json", "img_prefix": "val/"},
            },
            "override_mmdet_config": copy.deepcopy(MODELS[name]),
        },
        "searcher": {"name": "single", "metric": "bbox_mAP", "smaller_is_better": False},
        "scheduling_unit": 1,
        "reproducibility": {"experiment_seed": 7},
    }
    # So early in a training AP may be 0, but recall is not.
    experiment["hyperparameters"]["override_mmdet_config"]["val_evaluator.metric"] = ["bbox", "proposal"]
    composed = compose(load_experiment(write_yaml(experiment)), slots=1)
    experiment["hyperparameters"]["override_mmdet_config"] |= shrink(composed.config.to_dict())
    return write_yaml(experiment)
