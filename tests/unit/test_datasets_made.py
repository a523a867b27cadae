"""Made data for tests and dry runs."""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from model_def.datasets import made
from model_def.datasets.coco import polygon_area


def load(root: Path, ann_file: str) -> COCO:
    return COCO(str(root / ann_file))


def test_boxes_masks_and_pixels_agree(tmp_path: Path) -> None:
    data = made(tmp_path / "made", images=6, size=(96, 64))
    coco = load(data.root, "train.json")
    for image_id, image in coco.imgs.items():
        pixels = np.asarray(Image.open(data.root / "train" / image["file_name"]))
        assert pixels.shape == (64, 96, 3)
        shapes = np.zeros((64, 96), bool)
        for entry in coco.imgToAnns[image_id]:
            x, y, width, height = entry["bbox"]
            assert 0 <= x < x + width <= 96
            assert 0 <= y < y + height <= 64
            mask = coco.annToMask(entry).astype(bool)
            assert mask.sum() == pytest.approx(entry["area"], rel=0.15)
            shapes |= mask
        assert (shapes == (pixels.min(axis=2) >= 128)).mean() > 0.97


def test_all_classes_of_coco_in_the_layout_of_coco(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(80)]
    data = made(tmp_path / "coco", images=40, classes=names, layout="coco")
    assert data.splits["train"].img_prefix == "train2017"
    coco = load(data.root, "annotations/instances_train2017.json")
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == names
    assert {entry["category_id"] for entry in coco.anns.values()} == set(range(1, 81))


def test_masks_and_objects_can_be_left_out(tmp_path: Path) -> None:
    data = made(tmp_path / "made", images=3, val_images=3, masks=False, empty=2)
    for part in ("train", "val"):
        coco = load(data.root, f"{part}.json")
        assert [bool(coco.imgToAnns[image_id]) for image_id in (1, 2, 3)] == [True, False, False]
        assert not any("segmentation" in entry for entry in coco.anns.values())


def test_training_and_validation_pictures_differ(tmp_path: Path) -> None:
    root = made(tmp_path / "made").root
    assert (root / "train/000001.png").read_bytes() != (root / "val/000001.png").read_bytes()


def test_it_takes_milliseconds_an_image(tmp_path: Path) -> None:
    start = time.process_time()
    made(tmp_path / "made", images=100, val_images=0)
    assert time.process_time() - start < 2


def test_the_area_of_an_outline() -> None:
    assert polygon_area([0, 0, 4, 0, 4, 3]) == 6
