"""Evaluation by faster-coco-eval has pycocotools' and lvis' digits, to the last bit."""

from __future__ import annotations

import copy
import itertools
import json
import pathlib

import numpy as np
import pytest
from lvis import LVIS, LVISResults
from mmdet.evaluation import CocoMetric, LVISMetric
from mmdet.evaluation.metrics import coco_metric, lvis_metric
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from model_def.evaluate.evaluators import FastCOCOeval, FastLVISEval, StockLVISEval
from model_def.evaluate.exact import RoundedMetric, keep_exact
from model_def.evaluate.kept import Kept, handover

SIZE = 160
CLASSES = ("a", "b", "c")


def rle(box):
    image = np.zeros((SIZE, SIZE), np.uint8, order="F")
    x, y, width, height = (max(int(each), 0) for each in box)
    image[y : y + height + 1, x : x + width + 1] = 1
    image[y + height // 2 :, x + width // 2 :] = 0
    encoded = masks.encode(image)
    return {**encoded, "counts": encoded["counts"].decode()}


class World:
    """Random truth and detections; with `ties` many scores and overlaps are equal."""

    def __init__(self, seed, *, images=15, classes=3, ties=False, crowds=True):
        self.random = np.random.default_rng(seed)
        self.ties, self.classes = ties, classes
        self.truths, self.found = [], []
        for image, _ in itertools.product(range(images), range(self.random.integers(0, 9))):
            box, label = self.box(), self.label()
            x, y, width, height = box
            outline = [[x, y, x + width, y, x + 0.7 * width, y + height, x, y + height]]
            self.truths.append({
                "id": len(self.truths), "image_id": image, "category_id": label, "bbox": box,
                "area": width * height * 0.8, "iscrowd": int(crowds and self.random.random() < 0.1),
                "segmentation": rle(box) if self.random.random() < 0.5 else outline,
            })  # fmt: skip
            for _ in range(self.random.integers(0, 4)):
                self.detect(image, label, self.near(box))
        for image, _ in itertools.product(range(images), range(40)):
            self.detect(image, self.label(), self.box())
        every = list(range(1, classes + 1))
        self.truth = {
            "images": [
                {"id": image, "width": SIZE, "height": SIZE, "neg_category_ids": every[:2],
                 "not_exhaustive_category_ids": every[-1:]}
                for image in range(images)
            ],
            "annotations": self.truths,
            "categories": [{"id": each, "name": "abc"[each - 1], "frequency": "rcf"[each - 1]} for each in every],
            "info": {},
        }  # fmt: skip

    def label(self):
        return int(self.random.integers(self.classes)) + 1

    def box(self):
        return self.near(np.hstack([self.random.uniform(0, 100, 2), np.exp(self.random.uniform(1.5, 4.6, 2))]))

    def near(self, box):
        if self.ties:
            moved = np.round((np.array(box) + 8 * self.random.integers(-1, 2, 4)) / 8) * 8
        else:
            moved = np.array(box) + self.random.normal(0, 3, 4)
        return np.maximum(moved, 4).astype(np.float32).tolist()

    def detect(self, image, label, box):
        score = float(np.float32(round(self.random.random(), 1 if self.ties else 9)))
        self.found.append({"image_id": image, "category_id": label, "bbox": box, "score": score})

    def results(self, *, segm):
        found = copy.deepcopy(self.found[::4] if segm else self.found)
        return [{**each, "segmentation": rle(each.pop("bbox"))} for each in found] if segm else found


def coco_evaluated(evaluator_class, world, kind, numbers, use_classes):
    truth = COCO()
    truth.dataset = copy.deepcopy(world.truth)
    truth.createIndex()
    evaluator = evaluator_class(truth, truth.loadRes(world.results(segm=kind == "segm")), kind)
    evaluator.params.maxDets = [*numbers]
    evaluator.params.useCats = use_classes
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    return evaluator


def assert_same_bits(ours, theirs, names):
    for name in names:
        assert ours.eval[name].shape == theirs.eval[name].shape
        assert np.array_equal(ours.eval[name], theirs.eval[name]), name


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_coco(kind, ties):
    for seed, (numbers, use_classes) in itertools.product(range(2), [((1, 10, 100), 1), ((100, 300, 1000), 0)]):
        for shape in ({"images": 15}, {"images": 1, "classes": 1}, {"images": 3, "classes": 2}):
            world = World(seed, ties=ties, **shape)
            ours, theirs = (
                coco_evaluated(each, world, kind, numbers, use_classes) for each in (FastCOCOeval, COCOeval)
            )
            assert_same_bits(ours, theirs, ("precision", "recall", "scores"))
            assert np.array_equal(ours.stats, theirs.stats)


def test_a_precision_of_one_is_not_always_one():
    """The case that differs by a bit in faster-coco-eval: a single true positive, then only false ones."""
    world = World(0, images=1, classes=1, crowds=False)
    first = {**world.truths[0], "id": 1, "bbox": [10.0, 10.0, 20.0, 20.0], "area": 400.0}
    world.truth["annotations"] = [first, {**first, "id": 2, "bbox": [100.0, 100.0, 20.0, 20.0]}]
    world.found = [{"image_id": 0, "category_id": 1, "bbox": first["bbox"], "score": 0.9}]
    ours, theirs = (coco_evaluated(each, world, "bbox", (1, 10, 100), 1) for each in (FastCOCOeval, COCOeval))
    assert theirs.eval["precision"].max() == 1 / (1 + np.spacing(1)) < 1
    assert_same_bits(ours, theirs, ("precision",))


def lvis_evaluated(evaluator_class, world, kind, path):
    path.write_text(json.dumps(world.truth))
    truth = LVIS(str(path))
    evaluator = evaluator_class(truth, LVISResults(truth, world.results(segm=kind == "segm"), max_dets=30), kind)
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    return evaluator


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_lvis(kind, ignored, tmp_path):
    world = World(5, images=10, crowds=False, ties=True)
    for number, annotation in enumerate(world.truths):
        annotation["id"] += 1
        if ignored and number % 5 == 0:
            annotation["ignore"] = 1
    ours, theirs = (lvis_evaluated(each, world, kind, tmp_path / "t.json") for each in (FastLVISEval, StockLVISEval))
    assert_same_bits(ours, theirs, ("precision", "recall"))
    assert ours.get_results() == theirs.get_results()
    assert ours.results["AP"] > 0


def computed(metric_class, world, folder, *, fast, **options):
    path = folder / "truth.json"
    path.write_text(json.dumps(world.truth))
    metric = metric_class(ann_file=str(path), **options)
    metric.dataset_meta = {"classes": CLASSES}
    if fast is not None:
        keep_exact(metric, fast=fast)
    results = []
    for image in range(len(world.truth["images"])):
        found = [each for each in world.found if each["image_id"] == image]
        corners = np.array([each["bbox"] for each in found], dtype=np.float32).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        result = {
            "img_id": image, "bboxes": corners, "masks": [rle(each["bbox"]) for each in found],
            "scores": np.array([each["score"] for each in found], dtype=np.float32),
            "labels": np.array([each["category_id"] - 1 for each in found]),
        }  # fmt: skip
        results.append(({"img_id": image, "width": SIZE, "height": SIZE}, result))
    return metric.compute_metrics(results)


OPTIONS = [
    {"metric": ["bbox", "segm", "proposal"], "classwise": True},
    {"metric": "bbox", "iou_thrs": np.array([0.5, 0.6]), "proposal_nums": (1, 10, 100)},
    {"metric": ["segm"], "metric_items": ["mAP", "AR@100"]},
    {"metric": "proposal", "proposal_nums": (10, 100, 300)},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_of_coco_metric(options, tmp_path):
    world = World(1, images=6, ties=True)
    fast, slow, stock = (computed(CocoMetric, world, tmp_path, fast=each, **options) for each in (True, False, None))
    assert np.array_equal([*fast.values()], [*stock.values()], equal_nan=True), "hooks see what mmdet gives"
    assert fast.keys() == stock.keys()
    for name, value in slow.items():
        if isinstance(value, RoundedMetric):
            assert np.array_equal(fast[name].exact, value.exact, equal_nan=True)
    assert any(value.exact != value for value in fast.values() if isinstance(value, RoundedMetric))


def test_lvis_metric(tmp_path):
    world = World(2, images=6, crowds=False)
    for annotation in world.truths:
        annotation["id"] += 1
    options = {"metric": ["bbox", "segm"], "classwise": True}
    fast, slow = (computed(LVISMetric, world, tmp_path, fast=each, **options) for each in (True, False))
    assert fast == slow
    assert fast["bbox_AP"] == round(fast["bbox_AP"].exact, 3) != fast["bbox_AP"].exact
    assert {name: value.exact for name, value in fast.items()} == {name: value.exact for name, value in slow.items()}


def test_result_files_are_the_same(tmp_path):
    world = World(3, images=3)
    for fast, name in ((True, "ours"), (None, "stock")):
        computed(CocoMetric, world, tmp_path, fast=fast, format_only=True, outfile_prefix=str(tmp_path / name))
    for kind in ("bbox", "segm"):
        assert (tmp_path / f"ours.{kind}.json").read_text() == (tmp_path / f"stock.{kind}.json").read_text()


@pytest.mark.parametrize("metric_class", [CocoMetric, LVISMetric])
def test_scores_that_are_no_numbers(metric_class, tmp_path):
    world = World(6, images=4, crowds=False)
    for annotation in world.truths:
        annotation["id"] += 1
    for each in world.found[::7]:
        each["score"] = float("nan")
    fast, slow = (computed(metric_class, world, tmp_path, fast=each, classwise=True) for each in (True, False))
    assert {name: repr(value.exact) for name, value in fast.items() if isinstance(value, RoundedMetric)} == {
        name: repr(value.exact) for name, value in slow.items() if isinstance(value, RoundedMetric)
    }


class ReadsItsFile(CocoMetric):
    """A user's metric that looks into the file of its results."""

    def results2json(self, results, outfile_prefix):
        files = super().results2json(results, outfile_prefix)
        self.found = json.loads(pathlib.Path(files["bbox"]).read_text())
        return files


def test_results_stay_in_memory_where_nobody_else_reads_them(tmp_path):
    world = World(5, images=3)
    assert computed(ReadsItsFile, world, tmp_path, fast=True)
    truth = str(tmp_path / "truth.json")
    for metric in (CocoMetric(truth), LVISMetric(truth)):
        assert isinstance(handover(metric), Kept)
    for metric in (ReadsItsFile(truth), CocoMetric(truth, outfile_prefix=str(tmp_path / "mine"))):
        assert not isinstance(handover(metric), Kept)


def test_nothing_is_changed_for_others(tmp_path):
    before = dict(vars(coco_metric)), dict(vars(lvis_metric))
    world = World(4, images=2)
    computed(CocoMetric, world, tmp_path, fast=True)
    with pytest.raises(KeyError, match="not supported"):
        computed(CocoMetric, world, tmp_path, fast=True, metric_items=["mAP", "oops"])
    assert (vars(coco_metric), vars(lvis_metric)) == before
