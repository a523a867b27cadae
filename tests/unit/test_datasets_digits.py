"""Scenes of handwritten digits."""

import hashlib
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pycocotools.coco import COCO

from model_def.datasets import DataSet, digits
from model_def.datasets.digits import SCENE
from model_def.errors import UserError


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn: pip install determined-mmdet[digits]")
    return digits(tmp_path_factory.mktemp("data") / "digits", images=40, val_images=20)


def annotations(data: DataSet, part: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((data.root / data.splits[part].ann_file).read_text())
    return content


def content_hash(root: Path) -> str:
    files = sorted(
        path for path in root.rglob("*") if path.suffix in {".png", ".json"} and path.name != "manifest.json"
    )
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def test_the_same_seed_gives_the_same_scenes_and_another_one_others(scenes: DataSet, tmp_path: Path) -> None:
    again = digits(tmp_path / "again", images=40, val_images=20)
    other = digits(tmp_path / "other", images=40, val_images=20, seed=1)
    assert content_hash(scenes.root) == content_hash(again.root) != content_hash(other.root)


def test_no_handwriting_is_in_both_parts(scenes: DataSet) -> None:
    train, val = (
        {hand for image in annotations(scenes, part)["images"] for hand in image["handwritings"]}
        for part in ("train", "val")
    )
    assert len(train) > 100
    assert len(val) > 50
    assert not train & val


@pytest.mark.parametrize("part", ["train", "val"])
def test_valid_coco_with_all_ten_classes_inside_the_scene_and_apart(scenes: DataSet, part: str) -> None:
    coco = COCO(str(scenes.root / scenes.splits[part].ann_file))
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == list("0123456789")
    assert {entry["category_id"] for entry in coco.anns.values()} == set(range(1, 11))
    for image_id in coco.imgs:
        boxes = [entry["bbox"] for entry in coco.imgToAnns[image_id]]
        assert boxes
        assert all(0 <= x < x + w <= SCENE and 0 <= y < y + h <= SCENE and 24 <= h <= 48 for x, y, w, h in boxes)
        for (ax, ay, aw, ah), (bx, by, bw, bh) in itertools.combinations(boxes, 2):
            assert ax + aw < bx or bx + bw < ax or ay + ah < by or by + bh < ay


def test_labels_are_those_of_the_handwritings(scenes: DataSet) -> None:
    from sklearn.datasets import load_digits

    target = load_digits().target
    content = annotations(scenes, "val")
    for image in content["images"]:
        found = [entry["category_id"] - 1 for entry in content["annotations"] if entry["image_id"] == image["id"]]
        assert found == target[image["handwritings"]].tolist()


def test_without_scikit_learn_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(UserError, match=r"pip install \"determined-mmdet\[digits\]\""):
        digits(tmp_path / "digits")
    assert not (tmp_path / "digits").exists()
