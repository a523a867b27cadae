"""Overrides of the validation set reach the test set where a config means both by one."""

from __future__ import annotations

from model_def.compose import compose
from model_def.experiment import load_experiment

EXPERIMENT = {
    "name": "test-as-val",
    "entrypoint": "python3 -m model_def.train",
    "hyperparameters": {"config_file": "retinanet/retinanet_r18_fpn_1x_coco.py", "global_batch_size": 2},
    "searcher": {"name": "single", "metric": "bbox_mAP"},
}


def scales(write_yaml, *assignments):
    config = compose(load_experiment(write_yaml(EXPERIMENT), assignments), slots=1).config
    return [config[f"{part}_dataloader"].dataset.pipeline[1].scale for part in ("val", "test")]


def test_an_override_of_the_validation_set_reaches_the_test_set(write_yaml):
    assert scales(write_yaml, "val_dataloader.dataset.pipeline.1.scale=[256, 256]") == [(256, 256), (256, 256)]


def test_an_override_of_the_test_set_stands(write_yaml):
    both = ("val_dataloader.dataset.pipeline.1.scale=[256, 256]", "test_dataloader.dataset.pipeline.1.scale=[64, 64]")
    assert scales(write_yaml, *both) == [(256, 256), (64, 64)]


def test_the_evaluators_follow_too(write_yaml):
    config = compose(load_experiment(write_yaml(EXPERIMENT), ["val_evaluator.classwise=true"]), slots=1).config
    assert config.test_evaluator.classwise is True
