"""What `Runner.train()` computes, we compute, bit for bit: a part of `make parity` that covers what the zoo is made of.

Each case is trained by us and by stock mmengine, in fresh processes, all cases in one go.
"""

from __future__ import annotations

import json
import pathlib
import sys

import pytest

from tests.support.commands import run

COPY_PASTE = "simple_copy_paste/mask-rcnn_r50_fpn_rpn-2conv_4conv1fc_syncbn-all_32xb2-ssj-scp-90k_coco.py"
RETINANET = "retinanet/retinanet_r18_fpn_1x_coco.py"

NEVER_VALIDATES = "masktrack_rcnn/masktrack-rcnn_mask-rcnn_r50_fpn_8xb1-12e_youtubevis2019.py"

# What each is here for.
CASES = {
    "faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py": "two stages, AspectRatioBatchSampler, frozen stages, norm_eval",
    "mask_rcnn/mask-rcnn_r50_fpn_amp-1x_coco.py": "bbox and segm; mixed precision's stand-in",
    "rpn/rpn_r50_fpn_1x_coco.py": "CocoMetric of proposals",
    "tood/tood_r50_fpn_1x_coco.py": "another assigner from an epoch on: MessageHub's epoch",
    "fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py": "ConstantLR, paramwise bias multipliers, clip_grad",
    "dynamic_rcnn/dynamic-rcnn_r50_fpn_1x_coco.py": "thresholds that follow the iterations",
    "yolox/yolox_tiny_8xb8-300e_coco.py": "YOLOXModeSwitchHook, SyncNormHook, EMAHook, mosaics, sizes that change",
    "rtmdet/rtmdet_tiny_8xb32-300e_coco.py": "PipelineSwitchHook, EMAHook, dynamic_intervals, cached mosaics, AdamW",
    "yolact/yolact_r50_1xb8-55e_coco.py": "CheckInvalidLossHook",
    "detr/detr_r50_8xb2-150e_coco.py": "custom_keys of paramwise_cfg",
    "mask2former/mask2former_r50_8xb2-lsj-50e_coco.py": "IterBasedTrainLoop with dynamic_intervals",
    COPY_PASTE: "MultiImageMixDataset, InfiniteSampler without a batch sampler",
    "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py": (
        "MeanTeacherHook, TeacherStudentValLoop, GroupMultiSourceSampler, MultiBranchDataPreprocessor"
    ),
    "pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py": "RepeatDataset of a ConcatDataset, VOCDataset, VOCMetric",
    "openimages/faster-rcnn_r50_fpn_32xb2-cas-1x_openimages.py": "ClassAwareSampler, OpenImagesMetric",
    "wider_face/retinanet_r50_fpn_1x_widerface.py": "WIDERFaceDataset",
    "cityscapes/faster-rcnn_r50_fpn_1x_cityscapes.py": "CityscapesDataset",
    "lvis/mask-rcnn_r50_fpn_sample1e-3_ms-1x_lvis-v1.py": "ClassBalancedDataset, LVISMetric",
    NEVER_VALIDATES: "TrackImgSampler, and a validation that never comes (val_begin behind the end)",
    **{
        f"{RETINANET}:{variant}": "what no config of the zoo uses"
        for variant in (
            "accumulation",
            "auto-scale-lr",
            "two-optimizers",
            "early-stop",
            "finite-iterations",
            "late-validation",
            "two-validation-sets",
            "evaluation-in-processes",
        )
    },
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """The row of each case."""
    folder = tmp_path_factory.mktemp("parity")
    run(sys.executable, "-m", "tests.parity.pool", str(folder), *CASES, cwd=pathlib.Path.cwd())
    found = [json.loads(path.read_text()) for path in (folder / "rows").glob("*.json")]
    return {row["config"]: row for row in found}


@pytest.mark.parametrize("case", CASES)
def test_equal_to_stock(case: str, rows: dict[str, dict]) -> None:
    row = rows[case]
    assert row["result"] == "equal", f"{row['result']}: {row['reason']}"
    assert row["iterations"] >= 8
    assert row["validations"] >= 1 or case == NEVER_VALIDATES
    assert row["learning_rates"] >= 2
