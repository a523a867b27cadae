"""Fixtures that unit tests share."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def mmdet_scope() -> Iterator[None]:
    """Parts are mmdet's, whatever scope the last Runner of this process has left behind."""
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope("mmdet"):
        yield


@pytest.fixture
def trees(tmp_path: pathlib.Path) -> dict[str, Any]:
    """The `dataset` of an experiment: one image and three classes, whose ids are in another order."""
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 64}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 30, 40]}],
        "categories": [{"id": 3, "name": "oak"}, {"id": 1, "name": "fir"}, {"id": 2, "name": "ash"}],
    }
    for name in ("train.json", "val.json", "test.json"):
        (tmp_path / name).write_text(json.dumps(content))
    return {
        "root": str(tmp_path),
        "train": {"ann_file": "train.json", "img_prefix": "train/"},
        "val": {"ann_file": "val.json", "img_prefix": "val/"},
    }
