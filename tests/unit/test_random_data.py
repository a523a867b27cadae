"""Random data in the place of a config's own: trackers too train and predict, of the rest it is said why not."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml
from mmengine.config import Config

from model_def.compose import compose
from model_def.compose.known import RUNNER
from model_def.experiment import experiment_from
from model_def.one_step import one_step
from model_def.random_data import in_words, lacking, random_config
from model_def.uninitialised import parked
from tests.support.tiny import tiny

TRACKERS = (
    "masktrack_rcnn/masktrack-rcnn_mask-rcnn_r50_fpn_8xb1-12e_youtubevis2019.py",
    "mask2former_vis/mask2former_r50_8xb2-8e_youtubevis2019.py",
)
BYTETRACK = "bytetrack/bytetrack_yolox_x_8xb4-80e_crowdhuman-mot17halftrain_test-mot17halfval.py"
MORE = {
    "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py": "several views of images",
    "reid/reid_r50_8xb32-6e_mot17train80_test-mot17val20.py": "pictures that show the same persons",
    "grounding_dino/grounding_dino_r50_scratch_8xb2_1x_coco.py": "phrases about images",
}


def composed(name: str, **overrides: Any) -> Config:
    hyper = {"config_file": name, "global_batch_size": 2, "override_mmdet_config": overrides}
    return compose(experiment_from({"searcher": {"name": "single", "metric": "loss"}}, hyper), slots=1).config


@pytest.mark.parametrize("name", TRACKERS)
def test_trackers_learn_from_videos_and_predict_on_one(name: str, tmp_path: pathlib.Path) -> None:
    overrides = dict(pair.split("=", 1) for pair in tiny(composed(name).to_dict()))
    read = {key: yaml.safe_load(value) for key, value in overrides.items() if key.partition(".")[0] in RUNNER}
    small = composed(name, **read)
    assert not lacking(small)
    config = random_config(small)
    assert in_words(config).startswith("random videos of 2 frames of ")
    step = one_step(parked(config, work_dir=tmp_path, values=True))
    assert step.images == 2
    assert step.loss > 0


def test_trackers_that_learn_from_images_predict_on_a_video() -> None:
    config = random_config(composed(BYTETRACK))
    assert in_words(config) == "random images of 1440 × 800"
    assert config.val_dataloader.dataset.type == "mmengine.RandomVideos"


@pytest.mark.parametrize("name", MORE)
def test_what_can_not_be_made_up_is_named(name: str) -> None:
    assert lacking(composed(name)).startswith(MORE[name])
