"""Every shipped merge config changes a zoo config and leaves it one that builds."""

from __future__ import annotations

import pytest
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config

from model_def.compose import files
from model_def.experiment import load_experiment
from tests.support.commands import REPO

MERGE_CONFIGS = sorted((REPO / "merge_configs").rglob("*.py"))


def experiment(write_yaml, *merge_configs):
    content = {
        "entrypoint": "python3 -m model_def.train",
        "hyperparameters": {
            "config_file": "retinanet/retinanet_r18_fpn_1x_coco.py",
            "merge_config": [str(path) for path in merge_configs],
            "global_batch_size": 2,
        },
        "searcher": {"name": "single", "metric": "bbox_mAP"},
    }
    return load_experiment(write_yaml(content))


def whole(experiment):
    return [*files(experiment)][-1].config


@pytest.mark.parametrize("path", MERGE_CONFIGS, ids=lambda path: str(path.relative_to(REPO)))
def test_it_has_an_effect(path, write_yaml):
    plain = whole(experiment(write_yaml))
    changed = whole(experiment(write_yaml, path))
    assert changed != plain
    assert "_delete_" not in str(changed)
    assert path.read_text().startswith("# "), "it says what it is for"
    register_all_modules(init_default_scope=True)
    MODELS.build(Config(changed).model)


def test_all_go_together(write_yaml):
    config = whole(experiment(write_yaml, *MERGE_CONFIGS))
    assert config["optim_wrapper"]["type"] == "AmpOptimWrapper"
    assert config["optim_wrapper"]["clip_grad"]["max_norm"] == 35
    assert config["train_dataloader"]["num_workers"] == 0
