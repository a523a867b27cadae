"""What evaluators have counted: AP of each class, and who was taken for whom."""

from __future__ import annotations

import json
import types

import numpy as np
import pytest
from mmdet.engine.runner import TeacherStudentValLoop
from mmdet.evaluation import LVISMetric, VOCMetric
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from model_def.evaluate.counted import NOTHING, Counted, confused, counts, of_coco
from model_def.evaluate.evaluators import FastCOCOeval
from model_def.evaluate.exact import keep_exact
from model_def.evaluate.names import reported
from model_def.watching.watch import taken
from tests.unit.test_evaluate import CLASSES, coco_metric, evaluate, truth

__all__ = ["truth"]  # a fixture


def counted(metric, data, **options):
    """What one evaluation has counted, and what it reports."""
    keep_exact(metric)
    evaluator, metrics = evaluate(metric, data, **options)
    return metric.counted, reported(evaluator, metrics)


@pytest.mark.parametrize("fast", [True, False])
def test_ap_of_each_class_is_mmdets_and_their_mean_the_headline(truth, fast):
    metric = coco_metric(truth, classwise=True)
    keep_exact(metric, fast=fast)
    evaluator, metrics = evaluate(metric, truth)
    [one], exact = metric.counted, reported(evaluator, metrics)
    average = one.average()
    assert one.kind == "bbox"
    assert average == {name: exact[f"{name}_precision"] for name in CLASSES}
    assert np.mean([*average.values()]) == pytest.approx(exact["bbox_mAP"], rel=1e-12)
    assert len(set(average.values())) == len(CLASSES), "equal ones prove nothing"


@pytest.mark.parametrize("evaluator", [FastCOCOeval, COCOeval])
def test_names_are_right_where_a_file_numbers_its_classes_in_another_order(truth, evaluator):
    """pycocotools sorts the numbers; mmdet's own `classwise` gives each AP to the wrong class then."""
    coco = COCO(str(truth.root / truth.splits["val"].ann_file))
    circles = [{**one, "score": 0.9} for one in coco.dataset["annotations"] if one["category_id"] == 1]
    counting = evaluator(coco, coco.loadRes(circles), "bbox")
    counting.params.catIds = [3, 2, 1]
    counting.evaluate()
    counting.accumulate()
    assert of_coco(counting).average() == {"circle": pytest.approx(1), "square": 0, "star": 0}


def test_proposals_have_no_classes(truth):
    found, _ = counted(coco_metric(truth, metric=["bbox", "proposal"]), truth)
    assert [one.kind for one in found] == ["bbox"]


def test_lvis_counts_classes_but_knows_no_confusion(truth, tmp_path):
    content = json.loads((truth.root / truth.splits["val"].ann_file).read_text())
    every = [each["id"] for each in content["categories"]]
    for image in content["images"]:
        image |= {"neg_category_ids": every, "not_exhaustive_category_ids": []}
    for each in content["categories"]:
        each["frequency"] = "f"
    (tmp_path / "lvis.json").write_text(json.dumps(content))
    [one], exact = counted(LVISMetric(ann_file=str(tmp_path / "lvis.json"), classwise=True), truth)
    assert one.average() == pytest.approx({name: exact[f"{name}_precision"] for name in CLASSES})
    assert one.pairs is None


def test_nothing_found_is_an_ap_of_0_for_each_class_with_a_truth(truth):
    [one], _ = counted(coco_metric(truth), truth, detect=False)
    assert one.average() == dict.fromkeys(CLASSES, 0.0)
    assert len(one.pairs) > 0
    assert {*one.pairs[:, 1]} == {NOTHING}


def test_a_class_without_a_truth_has_no_ap():
    precision = np.stack([np.full((10, 101), 0.5), np.full((10, 101), -1.0)], axis=-1)
    one = Counted(kind="bbox", classes=("cat", "dog"), overlaps=(0.5,), precision=precision, pairs=None)
    assert one.average() == {"cat": 0.5}


def test_other_evaluators_are_known_not_to_count(truth):
    assert counts(coco_metric(truth))
    assert not counts(VOCMetric())
    assert not counts(coco_metric(truth, metric="proposal"))
    assert not counts(coco_metric(truth, format_only=True, outfile_prefix="x"))


def box(label, x, *, score=None, image=1, **more):
    return {"image_id": image, "category_id": label, "bbox": [x, 0.0, 10.0, 10.0], "score": score, **more}


@pytest.mark.parametrize(
    ("known", "found", "expected"),
    [
        ([box(7, 0)], [box(7, 1, score=0.9)], [(0, 0)]),
        ([box(7, 0)], [box(9, 1, score=0.9)], [(0, 1)]),  # taken for another class
        ([box(7, 0)], [box(7, 8, score=0.9)], [(NOTHING, 0), (0, NOTHING)]),  # too far off
        ([box(7, 0)], [box(7, 0, score=0.9, image=2)], [(0, NOTHING), (NOTHING, 0)]),
        ([box(7, 0)], [box(7, 0, score=0.2)], [(0, NOTHING)]),  # not sure enough
        ([box(7, 0)], [box(9, 0, score=0.5), box(7, 1, score=0.9)], [(0, 0), (NOTHING, 1)]),  # the surer one chooses
        ([box(7, 0), box(9, 1)], [box(9, 1, score=0.9), box(7, 1, score=0.8)], [(1, 1), (0, 0)]),
        ([box(7, 0, iscrowd=1)], [box(7, 1, score=0.9), box(9, 30, score=0.9)], [(NOTHING, 1)]),
        ([], [], []),
    ],
)
def test_pairs(known, found, expected):
    pairs = confused(known, found, [7, 9])
    assert pairs.shape == (len(expected), 2)
    assert sorted(map(tuple, pairs.tolist())) == sorted(expected)


def one_of(kind):
    return Counted(kind=kind, classes=("cat",), overlaps=(0.5,), precision=np.zeros((1, 101, 1)), pairs=None)


def loop(*metrics, of=object):
    made = of.__new__(of)
    made.evaluator = types.SimpleNamespace(metrics=metrics)
    return made


def metric(prefix, *kinds):
    return types.SimpleNamespace(prefix=prefix, counted=[one_of(kind) for kind in kinds])


class _Loop:
    pass


def test_what_was_counted_is_taken_once_under_unique_names():
    assert [*taken(found := loop(metric("coco", "bbox", "segm"), of=_Loop))] == ["bbox", "segm"]
    assert taken(found) == {}
    assert [*taken(loop(metric("a", "bbox"), metric("b", "bbox"), of=_Loop))] == ["a/bbox", "b/bbox"]
    both = metric("coco", "bbox", "bbox")
    assert [*taken(loop(both, of=TeacherStudentValLoop))] == ["teacher/bbox", "student/bbox"]
    assert taken(loop(types.SimpleNamespace(prefix="voc"), of=_Loop)) == {}
