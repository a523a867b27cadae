"""Each data set class of mmdet reads the same samples from a bucket as from the disk, and each evaluator its truth."""

from __future__ import annotations

import json
import pathlib
import random
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from mmdet.registry import DATASETS, METRICS
from mmengine.config import Config
from mmengine.fileio import get_file_backend
from mmengine.registry import DefaultScope

from model_def.compose import compose
from model_def.experiment import load_experiment
from model_def.loading.ahead import fetch_ahead
from model_def.loading.stores import store_of
from tests.parity import zoo
from tests.parity.data import data_overrides

CONFIGS = {
    "CityscapesDataset": "cityscapes/faster-rcnn_r50_fpn_1x_cityscapes.py",
    "CocoDataset": "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
    "CocoPanopticDataset": "panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py",
    "CrowdHumanDataset": "crowddet/crowddet-rcnn_r50_fpn_8xb2-30e_crowdhuman.py",
    "DeepFashionDataset": "deepfashion/mask-rcnn_r50_fpn_15e_deepfashion.py",
    "LVISV1Dataset": "lvis/mask-rcnn_r50_fpn_sample1e-3_ms-1x_lvis-v1.py",
    "Objects365V2Dataset": "objects365/retinanet_r50_fpn_1x_objects365v2.py",
    "OpenImagesDataset": "openimages/faster-rcnn_r50_fpn_32xb2-1x_openimages.py",
    "VOCDataset": "pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py",
    "V3DetDataset": "v3det/cascade_rcnn_r50_fpn_8x4_sample1e-3_mstrain_v3det_2x.py",
    "WIDERFaceDataset": "wider_face/retinanet_r50_fpn_1x_widerface.py",
    "YouTubeVISDataset": "mask2former_vis/mask2former_r50_8xb2-8e_youtubevis2019.py",
}
LOADERS = ("train_dataloader", "val_dataloader")


def composed(config: str, overrides: dict[str, Any], file: pathlib.Path) -> Config:
    size = zoo.load(config)["train_dataloader"].get("batch_size") or 1
    hyperparameters = {"config_file": config, "global_batch_size": size, "override_mmdet_config": overrides}
    searcher = {"name": "single", "metric": "loss", "smaller_is_better": True}
    file.write_text(yaml.safe_dump({"name": "x", "hyperparameters": hyperparameters, "searcher": searcher}))
    return compose(load_experiment(file), slots=1).config


@pytest.mark.parametrize("kind", CONFIGS)
def test_its_samples_are_those_of_the_disk(kind, s3_bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = tmp_path / "data"
    overrides = data_overrides(zoo.load(CONFIGS[kind]), data)
    get_file_backend(str(s3_bucket)).copytree_from_local(data, f"{s3_bucket}data")
    moved = json.loads(json.dumps(overrides).replace(str(data), f"{s3_bucket}data"))
    disk, bucket = (composed(CONFIGS[kind], each, tmp_path / "e.yaml") for each in (overrides, moved))
    with DefaultScope.overwrite_default_scope("mmdet"):
        for loader in LOADERS:
            ours, theirs = DATASETS.build(bucket[loader].dataset), DATASETS.build(disk[loader].dataset)
            assert len(ours) == len(theirs) > 0
            fetch_ahead(ours)
            assert same(samples(ours), samples(theirs))
            assert store_of(ours), "nothing is fetched ahead"
            assert store_of(theirs) is None
        for evaluator in bucket.val_evaluator if isinstance(bucket.val_evaluator, list) else [bucket.val_evaluator]:
            METRICS.build(evaluator)  # it reads its annotations


def samples(dataset: Any) -> list[Any]:
    found = []
    for index in (0, 1):
        random.seed(index), np.random.seed(index), torch.manual_seed(index)
        found.append(dataset[index])
    return found


def same(a: Any, b: Any) -> bool:
    """Equal but for where it was read from."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a if not key.endswith("path"))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    for part in ("tensor", "masks"):  # of boxes, of masks
        if hasattr(a, part):
            return same(getattr(a, part), getattr(b, part))
    return same(dict(a.all_items()), dict(b.all_items())) if hasattr(a, "all_items") else bool(a == b)
