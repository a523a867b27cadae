"""Reported metrics are exact and complete, while mmengine's hooks still see mmdet's own."""

from __future__ import annotations

import pickle
from types import ModuleType

import numpy as np
import pytest
import torch
from mmdet.engine.runner import TeacherStudentValLoop
from mmdet.evaluation import CocoMetric, ReIDMetrics, SemSegMetric, VOCMetric
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.structures import BaseDataElement

from model_def.datasets import made
from model_def.evaluate.exact import RoundedMetric, keep_exact
from model_def.evaluate.names import name_prefixes, reported

CLASSES = ("circle", "square", "star")


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return made(tmp_path_factory.mktemp("made") / "data", images=1, val_images=7, size=(64, 64), classes=CLASSES)


def evaluate(metric, data, *, shift=2.0, detect=True):
    """Evaluate boxes that are a little off; returns what the evaluator hands to the hooks."""
    from pycocotools.coco import COCO

    coco = COCO(str(data.root / data.splits["val"].ann_file))
    metric.dataset_meta = {"classes": CLASSES, "dataset_type": "VOC2007"}
    evaluator = Evaluator([metric])
    for image in coco.imgs.values():
        boxes = np.array([a["bbox"] for a in coco.loadAnns(coco.getAnnIds(image["id"]))], dtype=np.float32)
        labels = [a["category_id"] - 1 for a in coco.loadAnns(coco.getAnnIds(image["id"]))]
        corners = torch.from_numpy(np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]))
        count = len(labels) if detect else 0
        found = BaseDataElement(
            bboxes=corners[:count] + shift * image["id"] / 3,
            scores=torch.linspace(0.9, 0.3, count),
            labels=torch.tensor(labels[:count], dtype=torch.long),
        )
        known = BaseDataElement(bboxes=corners, labels=torch.tensor(labels))
        sample = BaseDataElement(
            metainfo={"img_id": image["id"], "ori_shape": (64, 64)},
            pred_instances=found,
            gt_instances=known,
            ignored_instances=BaseDataElement(bboxes=corners[:0], labels=torch.tensor([])),
        )
        evaluator.process([sample])
    return evaluator, evaluator.evaluate(len(coco.imgs))


def coco_metric(data, **options):
    return CocoMetric(ann_file=str(data.root / data.splits["val"].ann_file), **options)


def test_hooks_see_mmdets_rounding_and_reports_are_exact(truth):
    _, plain_metrics = evaluate(coco_metric(truth, classwise=True), truth)
    metric = coco_metric(truth, classwise=True)
    keep_exact(metric)
    evaluator, metrics = evaluate(metric, truth)
    assert metrics == plain_metrics
    exact = reported(evaluator, metrics)
    for name, value in plain_metrics.items():
        assert round(exact[name.removeprefix("coco/")], 3) == value
    assert any(value != round(value, 3) for value in exact.values())


def test_what_is_not_rounded_stays(truth):
    """VOC's mAP is not rounded, its AP50 is, and with one threshold both are the same number."""
    _, plain_metrics = evaluate(VOCMetric(), truth)
    metric = VOCMetric()
    keep_exact(metric)
    evaluator, metrics = evaluate(metric, truth)
    assert metrics == plain_metrics
    exact = reported(evaluator, metrics)
    assert exact["AP50"] == exact["mAP"] == plain_metrics["pascal_voc/mAP"] != plain_metrics["pascal_voc/AP50"]


def test_proposals_are_rounded_by_formatting(truth):
    _, plain_metrics = evaluate(coco_metric(truth, metric="proposal"), truth)
    metric = coco_metric(truth, metric="proposal")
    keep_exact(metric)
    evaluator, metrics = evaluate(metric, truth)
    assert metrics == plain_metrics
    exact = reported(evaluator, metrics)["AR@100"]
    assert round(exact, 3) == metrics["coco/AR@100"] != exact


REID = [
    {"pred_feature": feature, "gt_label": torch.tensor([label])}
    for label, feature in zip([0, 0, 1, 1, 0, 1, 0], torch.rand(7, 3, generator=torch.manual_seed(0)), strict=True)
]
SEMSEG = [
    {
        "area_intersect": torch.tensor([3.0, 5.0]), "area_union": torch.tensor([7.0, 9.0]),
        "area_pred_label": torch.tensor([5.0, 8.0]), "area_label": torch.tensor([5.0, 6.0]),
    }
]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "results", "name", "digits"),
    [(lambda: ReIDMetrics(["mAP", "CMC"], metric_options={"rank_list": [1], "max_rank": 3}), REID, "mAP", 3),
     (lambda: SemSegMetric(["mIoU", "mDice"]), SEMSEG, "mIoU", 2)],
    ids=["reid", "semseg"],
)  # fmt: skip
def test_what_numpy_rounds_is_exact(build, results, name, digits):
    plain, metric = build(), build()
    plain.dataset_meta = metric.dataset_meta = {"classes": ("a", "b")}
    keep_exact(metric)
    plain_metrics, metrics = plain.compute_metrics(results), metric.compute_metrics(results)
    assert metrics == pytest.approx(plain_metrics, abs=0)
    assert np.round(metrics[name].exact, digits) == pytest.approx(plain_metrics[name])
    assert abs(metrics[name].exact - metrics[name]) > 1e-6


def test_without_detections_each_class_has_a_metric_too(truth):
    metric = coco_metric(truth, classwise=True, metric_items=["mAP"])
    metric.dataset_meta = {"classes": CLASSES}
    names = {"bbox_mAP", *(f"{name}_precision" for name in CLASSES)}
    assert reported(Evaluator([metric]), {}) == dict.fromkeys(names, 0.0)


def test_without_detections_metrics_are_zero_not_missing(truth):
    metric = coco_metric(truth)
    keep_exact(metric)
    evaluator, metrics = evaluate(metric, truth, detect=False)
    assert not metrics, "mmdet leaves them out"
    names = ("bbox_mAP", "bbox_mAP_50", "bbox_mAP_75", "bbox_mAP_s", "bbox_mAP_m", "bbox_mAP_l")
    assert reported(evaluator, metrics) == dict.fromkeys(names, 0.0)


def test_names_stay_apart_where_the_prefix_is_all_that_differs(truth):
    evaluator = Evaluator([coco_metric(truth, prefix="a"), coco_metric(truth, prefix="b")])
    assert reported(evaluator, {"a/bbox_mAP": 0.1, "b/bbox_mAP": 0.2})["b/bbox_mAP"] == 0.2


def test_teacher_and_student_stay_apart(truth):
    names = reported(Evaluator([coco_metric(truth, format_only=True, outfile_prefix="x")]), {
        "teacher/coco/bbox_mAP": 0.1, "student/coco/bbox_mAP": 0.2,
    })  # fmt: skip
    assert names == {"teacher/bbox_mAP": 0.1, "student/bbox_mAP": 0.2}


def test_without_detections_teacher_and_student_have_metrics_and_nobody_else(truth):
    evaluator = Evaluator([coco_metric(truth, metric_items=["mAP"])])
    both = name_prefixes(TeacherStudentValLoop.__new__(TeacherStudentValLoop))
    assert reported(evaluator, {}, both) == {"teacher/bbox_mAP": 0.0, "student/bbox_mAP": 0.0}
    assert name_prefixes(object()) == ("",)


scripts = ModuleType("cityscapesscripts.evaluation.made")
exec("import numpy as np\ndef known(found): return np.in1d(found, [1, 2]).reshape(2, 2)", vars(scripts))


class Scripted(BaseMetric):
    """As CityScapesMetric: hands its work to a module of cityscapesscripts."""

    def process(self, data_batch, data_samples):
        self.results += [int(sample["label"]) for sample in data_samples]

    def compute_metrics(self, results):
        return {"known": float(scripts.known(results).sum())}


def test_cityscapes_scripts_find_the_names_that_numpy_has_given_up():
    metric = Scripted()
    keep_exact(metric)
    metric.process(None, [{"label": label} for label in (1, 2, 3, 2)])
    assert metric.evaluate(4) == {"known": 3.0}
    assert not hasattr(vars(scripts)["np"], "in1d")


def test_the_exact_value_survives_the_way_between_processes():
    metric = pickle.loads(pickle.dumps(RoundedMetric(0.123, 0.12345)))
    assert (float(metric), metric.exact) == (0.123, 0.12345)
