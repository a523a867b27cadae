"""Annotation files that are in a store come while the model is built."""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from model_def.checks.coming import DataChecks
from model_def.compose import compose
from model_def.errors import DataError
from model_def.experiment import experiment_from
from tests.support.servers import FaultServer, fault_server, s3_environment
from tests.support.servers.fixtures import lead_to

CLASSES = ["oak", "fir"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("objects")
    images = [{"id": i, "file_name": f"{i}.png", "width": 48, "height": 64} for i in range(2)]
    boxes = [{"id": i, "image_id": i, "category_id": 1, "bbox": [1, 2, 30, 40], "area": 1200} for i in range(2)]
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)]
    for split in ("train", "val"):
        (root / "bkt" / split).mkdir(parents=True)
        content = {"images": images, "annotations": boxes, "categories": categories}
        (root / "bkt" / f"{split}.json").write_text(json.dumps(content))
        for image in images:
            cv2.imwrite(str(root / "bkt" / split / str(image["file_name"])), np.zeros((64, 48, 3), np.uint8))
    return root


@pytest.fixture(scope="module")
def server(root: pathlib.Path) -> Iterator[FaultServer]:
    with fault_server(root) as running:
        yield running


def begun(**hyper: Any) -> DataChecks:
    short = {split: {"ann_file": f"{split}.json", "img_prefix": split} for split in ("train", "val")}
    given = {
        "config_file": "retinanet/retinanet_r18_fpn_1x_coco.py",
        "global_batch_size": 2,
        "dataset": {**short, "root": "", "classes": CLASSES},
    }
    experiment = experiment_from({"searcher": {"name": "single", "metric": "bbox_mAP"}}, given | hyper)
    return DataChecks(compose(experiment, slots=1).config, experiment)


@pytest.fixture
def in_store(server: FaultServer, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    lead_to(s3_environment(server.url), monkeypatch)
    return {"file_client_args": {"backend": "s3", "bucket_name": "bkt", "cache": {"dir": str(tmp_path / "cache")}}}


def lists(server: FaultServer) -> dict[str, int]:
    return {name: times for name, times in server.log()["asked"].items() if name.endswith(".json")}


def test_they_are_asked_for_before_anybody_waits_and_only_once(server: FaultServer, in_store: dict[str, Any]) -> None:
    server.plan()
    checks = begun(**in_store)
    checks.early()  # nothing to look at yet
    end = time.monotonic() + 10
    while len(lists(server)) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert set(server.log()["asked"]) == {"bkt/train.json", "bkt/val.json"}, "no image"
    checks.late()
    assert lists(server) == {"bkt/train.json": 1, "bkt/val.json": 1}
    assert "bkt/val/1.png" in server.log()["asked"]


def test_each_that_does_not_come_is_told(server: FaultServer, in_store: dict[str, Any]) -> None:
    server.plan(always={"bkt/train.json": "denied", "bkt/val.json": "denied"})
    checks = begun(**in_store)
    checks.early()
    with pytest.raises(DataError) as caught:
        checks.late()
    problems = sorted(caught.value.problems, key=lambda problem: problem.where)
    assert [problem.value for problem in problems] == ["s3://bkt/train.json", "s3://bkt/val.json"]
    assert [problem.where.split("(")[-1] for problem in problems] == [
        f"hyperparameters.dataset.{split}.ann_file)" for split in ("train", "val")
    ]


def test_what_is_wrong_with_the_rest_is_told_then(
    server: FaultServer, in_store: dict[str, Any], root: pathlib.Path
) -> None:
    server.plan(always={"bkt/val/1.png": "denied"})
    checks = begun(**in_store)
    with pytest.raises(DataError, match=r"val/1\.png"):
        checks.late()


def test_what_is_on_the_disk_is_checked_at_once(root: pathlib.Path) -> None:
    short = {split: {"ann_file": f"{split}.json", "img_prefix": split} for split in ("train", "val")}
    checks = begun(dataset={**short, "root": str(root / "bkt"), "classes": ["oak", "elm"]})
    with pytest.raises(DataError, match="1 of 2 classes are not in the annotation file"):
        checks.early()
    checks.late()  # they were done
