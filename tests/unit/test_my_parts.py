"""The transform and the data set of `experiments/custom/my_parts.py` do what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

from experiments.custom import my_parts  # registers them
from model_def.datasets import made

pytestmark = pytest.mark.usefixtures("mmdet_scope")


def test_boxes_stay_around_their_objects():
    image = np.zeros((60, 100, 3), np.uint8)
    image[10:20, 50:90] = 255
    results = {"img": image, "img_shape": (60, 100), "gt_bboxes": HorizontalBoxes(torch.tensor([[50.0, 10, 90, 20]]))}
    flipped = TRANSFORMS.build({"type": "MyFlip", "prob": 1.0})(results)
    (x1, y1, x2, y2), mirrored = flipped["gt_bboxes"].tensor[0].int().tolist(), flipped["img"]
    assert mirrored.shape[:2] == flipped["img_shape"] == (100, 60)
    assert mirrored[y1:y2, x1:x2].min() == 255
    assert (mirrored > 0).sum() == 10 * 40 * 3


def test_it_flips_as_often_as_it_is_told():
    np.random.seed(0)
    flip = TRANSFORMS.build({"type": "MyFlip", "prob": 0.25})
    shapes = [flip({"img": np.zeros((2, 3, 3), np.uint8), "img_shape": (2, 3)})["img_shape"] for _ in range(1000)]
    assert shapes.count((3, 2)) == pytest.approx(250, abs=50)


def test_small_objects_are_ignored(tmp_path):
    made(tmp_path / "data", images=8, val_images=1, size=(96, 96))
    settings = {"ann_file": "train.json", "data_root": str(tmp_path / "data"), "data_prefix": {"img": "train"}}
    settings["metainfo"] = {"classes": ("rectangle", "ellipse")}
    every = [each for image in _images(least=0, **settings) for each in image["instances"]]
    flagged = [each for image in _images(least=25, **settings) for each in image["instances"]]
    assert not any(each["ignore_flag"] for each in every)
    small = [min(x2 - x1, y2 - y1) < 25 for x1, y1, x2, y2 in (each["bbox"] for each in every)]
    assert 0 < sum(small) < len(small)
    assert [bool(each["ignore_flag"]) for each in flagged] == small


def _images(**settings):
    dataset = my_parts.MyDataset(**settings)
    return [dataset.get_data_info(index) for index in range(len(dataset))]
