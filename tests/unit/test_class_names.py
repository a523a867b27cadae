"""Several data sets with classes of their own: mmdet's ConcatDataset has a list in the place of `metainfo`."""

from __future__ import annotations

import pathlib
from types import SimpleNamespace
from typing import Any

import pytest
from mmdet.datasets import ConcatDataset
from mmdet.evaluation import CocoMetric, MultiDatasetsEvaluator

from model_def import datasets
from model_def.class_names import class_names
from model_def.evaluate.expected import expected
from model_def.report.plan import classes_of


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """One of trees and one of birds."""
    root = tmp_path_factory.mktemp("sets")
    return [_set(root / name, name) for name in ("tree", "bird")]


def _set(folder: pathlib.Path, name: str) -> dict[str, Any]:
    made = datasets.made(folder, images=2, val_images=1, size=(32, 32), classes=[name])
    return {
        "type": "mmdet.CocoDataset",
        "metainfo": {"classes": (name,)},
        "ann_file": str(made.root / made.splits["train"].ann_file),
        "data_prefix": {"img": str(made.root / made.splits["train"].img_prefix)},
    }


def test_the_names_of_one(sets: list[dict[str, Any]]) -> None:
    same = ConcatDataset([sets[0], sets[0]])
    assert class_names(same) == ("tree",)
    assert classes_of(same) == "1 class (tree)"
    assert class_names(SimpleNamespace()) == ()


def test_several_have_no_common_names(sets: list[dict[str, Any]]) -> None:
    several = ConcatDataset(sets)
    assert isinstance(several.metainfo, list)
    assert class_names(several) == ()
    assert classes_of(several) == "each of 2 data sets with its own classes"


@pytest.mark.parametrize("classwise", [False, True])
def test_an_evaluator_of_several(sets: list[dict[str, Any]], classwise: bool) -> None:
    """mmengine's loops tell it all of them; each metric hears of its own when it is first asked."""
    metrics = [CocoMetric(ann_file=each["ann_file"], classwise=classwise) for each in sets]
    evaluator = MultiDatasetsEvaluator(metrics, dataset_prefixes=["trees", "birds"])
    evaluator.dataset_meta = ConcatDataset(sets).metainfo
    assert "coco/bbox_mAP" in expected(evaluator.metrics[0])
