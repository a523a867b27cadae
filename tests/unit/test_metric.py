"""The names that evaluators will report are known beforehand, and a wrong `searcher.metric` gets them."""

from __future__ import annotations

import pytest
from mmengine.evaluator import Evaluator

from model_def.compose import compose
from model_def.errors import ExperimentError
from model_def.evaluate.foretold import foretold
from model_def.experiment import experiment_from
from model_def.metric import check_metric, loop_without_data

COCO = "retinanet/retinanet_r18_fpn_1x_coco.py"
MASKS = "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"
LVIS = "lvis/mask-rcnn_r50_fpn_sample1e-3_ms-1x_lvis-v1.py"
VOC = "pascal_voc/retinanet_r50_fpn_1x_voc0712.py"
IMAGES = "openimages/retinanet_r50_fpn_32xb2-1x_openimages.py"
TEACHER = "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py"


def check(config_file: str, metric: str) -> bool:
    hyper = {"config_file": config_file, "global_batch_size": 5}
    experiment = experiment_from({"searcher": {"name": "single", "metric": metric}}, hyper)
    config = compose(experiment, slots=1).config.to_dict()
    return check_metric(loop_without_data(config), experiment)


@pytest.mark.parametrize(
    ("config_file", "metric"),
    [(COCO, "bbox_mAP_50"), (MASKS, "segm_mAP"), (VOC, "AP50"), (IMAGES, "mAP"), (TEACHER, "teacher/bbox_mAP")],
)
def test_right(config_file: str, metric: str) -> None:
    assert check(config_file, metric)


@pytest.mark.parametrize(
    ("config_file", "metric", "names", "near"),
    [
        (COCO, "bbox_map", "bbox_mAP, bbox_mAP_50", "did you mean `bbox_mAP`"),
        (COCO, "coco/bbox_mAP", "bbox_mAP, bbox_mAP_50", "did you mean `bbox_mAP`"),
        (COCO, "segm_mAP", "bbox_mAP, bbox_mAP_50", "bbox_mAP"),
        (COCO, "validation_loss", "bbox_mAP, bbox_mAP_50", "searcher.metric=bbox_mAP"),
        (MASKS, "mask_mAP", "segm_mAP, segm_mAP_50", "segm_mAP"),
        (VOC, "bbox_mAP", "mAP, AP50", "did you mean `mAP`"),
        (IMAGES, "bbox_mAP", "mAP, AP50", "did you mean `mAP`"),
    ],
)
def test_wrong(config_file: str, metric: str, names: str, near: str) -> None:
    with pytest.raises(ExperimentError, match="no evaluator reports this metric") as caught:
        check(config_file, metric)
    (problem,) = caught.value.problems
    assert names in problem.allowed
    assert near in problem.next


def test_other_evaluators_may_report_anything() -> None:
    class Mine(type(Evaluator({"type": "mmdet.CocoMetric"}).metrics[0])):  # type: ignore[misc]
        pass

    assert foretold(Evaluator(Mine())) == ()
    assert foretold(Evaluator({"type": "mmdet.CocoMetric", "classwise": True})) == ()  # the data set names the classes
    assert foretold(Evaluator([{"type": "mmdet.CocoMetric"}, {"type": "mmdet.ReIDMetrics"}])) == ()
    assert foretold(Evaluator([{"type": "mmdet.CocoMetric"}, {"type": "mmdet.VOCMetric"}]))[-2:] == ("mAP", "AP50")
