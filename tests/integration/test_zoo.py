"""A part of `make zoo`: configs of every kind as experiments, as they are and with a data set of three classes."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest

from tests.support.commands import run

# What depends on the number of classes, with its sizes before and after; or why there is an error.
BUILDS = {
    "retinanet/retinanet_r18_fpn_1x_coco.py": "bbox_head.retina_cls.weight (720, 256, 3, 3) → (27, 256, 3, 3)",
    "htc/htc_r50_fpn_1x_coco.py": "roi_head.bbox_head.0.fc_cls.weight (81, 1024) → (4, 1024)",
    "point_rend/point-rend_r50-caffe_fpn_ms-1x_coco.py": "fc_cls.weight (81, 1024) → (4, 1024)",
    "queryinst/queryinst_r50_fpn_1x_coco.py": "roi_head.bbox_head.0.fc_cls.weight (80, 256) → (3, 256)",
    "yolact/yolact_r50_1xb8-55e_coco.py": "bbox_head.conv_cls.weight (243, 256, 3, 3) → (12, 256, 3, 3)",
    "dino/dino-4scale_r50_8xb2-12e_coco.py": "(80, 256) → (3, 256)",
    "mask2former/mask2former_r50_8xb2-lsj-50e_coco.py": "panoptic_head.cls_embed.weight (81, 256) → (4, 256)",
    "mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py": "panoptic_head.cls_embed.weight (134, 256) → (6, 256)",
    "panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py": "fc_cls.weight (81, 1024) → (4, 1024)",
    "seesaw_loss/mask-rcnn_r50_fpn_seesaw-loss_random-ms-2x_lvis-v1.py": "fc_cls.weight (1205, 1024) → (5, 1024)",
    "pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py": "fc_cls.weight (21, 1024) → (4, 1024)",
    "strongsort/yolox_x_8xb4-80e_crowdhuman-mot17halftrain_test-mot17halfval.py": "(1, 320, 1, 1) → (3, 320, 1, 1)",
    "rpn/rpn_r50_fpn_1x_coco.py": "",  # has no classes
    "faster_rcnn/faster-rcnn_r50-caffe_fpn_ms-1x_coco-person-bicycle-car.py": "",  # has three
}
DOES_NOT = {
    "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py": ("refused", "several at once"),
    "masktrack_rcnn/masktrack-rcnn_mask-rcnn_r50_fpn_8xb1-12e_youtubevis2019.py": ("refused", "something else"),
    "fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py": ("refused", "boxes that another model has proposed"),
    "lad/lad_r50-paa-r101_fpn_2xb8_coco_1x.py": ("refused", "a teacher that knows the classes"),
    "misc/d2_retinanet_r50-caffe_fpn_ms-90k_coco.py": ("refused", "Please install Detectron2"),
    "sort/faster-rcnn_r50_fpn_8xb2-8e_mot20train_test-mot20train.py": ("does not load", "`_base_` of the config"),
    "common/lsj-100e_coco-detection.py": ("does not train", "it has no model"),
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """The row of each config."""
    folder = tmp_path_factory.mktemp("zoo")
    run(sys.executable, "-m", "tests.zoo.pool", str(folder), *BUILDS, *DOES_NOT, cwd=pathlib.Path.cwd())
    found = [json.loads(path.read_text()) for path in (folder / "rows").glob("*.json")]
    return {row["config"]: row for row in found}


@pytest.mark.parametrize("name", BUILDS)
def test_composes_and_builds(name: str, rows: dict[str, dict]) -> None:
    row = rows[name]
    assert row["result"] == "composes and builds", row["reason"]
    assert BUILDS[name] in row["example"]
    assert bool(BUILDS[name]) == bool(row["changed"])


@pytest.mark.parametrize("name", DOES_NOT)
def test_says_why_not(name: str, rows: dict[str, dict]) -> None:
    result, reason = DOES_NOT[name]
    assert rows[name]["result"] == result
    assert reason in rows[name]["reason"]
