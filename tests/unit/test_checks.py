"""Bad data is found before training, and named."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from model_def.checks import check_data, data_steps
from model_def.checks.classes import check_agreement
from model_def.checks.images import sample
from model_def.compose import compose
from model_def.errors import DataError
from model_def.experiment import experiment_from, load_experiment
from model_def.experiment_types import Experiment

RETINANET = "retinanet/retinanet_r18_fpn_1x_coco.py"


def coco(**changes: Any) -> dict[str, Any]:
    content = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 48, "height": 64} for i in range(3)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 7, "bbox": [1, 2, 30, 40], "area": 1200} for i in range(2)
        ],
        "categories": [{"id": 7, "name": "oak"}, {"id": 3, "name": "fir"}],
    }
    return {**content, **changes}


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        (tmp_path / f"{split}.json").write_text(json.dumps(coco()))
        for index in range(3):
            cv2.imwrite(str(tmp_path / split / f"{index}.png"), np.full((64, 48, 3), index, np.uint8))
    return tmp_path


def experiment(root: pathlib.Path, config_file: str = RETINANET, **dataset: Any) -> Experiment:
    short = {
        "root": str(root),
        "train": {"ann_file": "train.json", "img_prefix": "train"},
        "val": {"ann_file": "val.json", "img_prefix": "val"},
        "classes": ["oak", "fir"],
        **dataset,
    }
    hyper = {"config_file": config_file, "global_batch_size": 2, "dataset": short}
    return experiment_from({"searcher": {"name": "single", "metric": "bbox_mAP"}}, hyper)


def check(one: Experiment) -> None:
    check_data(compose(one, slots=1).config, one)


def test_good_data_passes_and_each_step_says_what_it_found(root: pathlib.Path) -> None:
    one = experiment(root)
    check(one)
    steps = [(step.name, step.run()) for step in data_steps(compose(one, slots=1).config, one)]
    assert steps[0] == ("train_dataloader.dataset: annotations", "train.json: 2 images, 2 boxes, 2 classes")
    assert steps[2] == ("val_dataloader.dataset: annotations", "val.json: 3 images, 2 boxes, 2 classes")
    assert [name for name, _ in steps][1::2] == ["train_dataloader.dataset: images", "val_dataloader.dataset: images"]
    assert "2 of 2 files" in steps[1][1]


BAD_ANNOTATIONS: dict[str, tuple[Any, str, str]] = {
    "missing": (None, "annotation file is missing", "COCO"),
    "not JSON": ("{'images': ", "isn't JSON", "COCO"),
    "binary": (b"\xff\xfe\x00", "isn't text", "COCO"),
    "a list": ([], "isn't COCO: it holds a list", "COCO"),
    "no images": ({"annotations": [], "categories": []}, "it has no 'images'", "COCO"),
    "no categories": ({"images": [], "annotations": []}, "it has no 'categories'", "COCO"),
    "annotations of another kind": (coco(annotations=["a"]), "isn't COCO", "COCO"),
    "classes of another data set": (coco(categories=[{"id": 7, "name": "car"}]), "filter out every annotation", "car"),
    "a class that is absent": (coco(categories=[{"id": 7, "name": "oak"}]), "1 of 2 classes are not in", "oak"),
    "another order": (coco(categories=coco()["categories"][::-1]), "another order", r"fir, oak"),
    "classes without boxes": (
        coco(categories=[{"id": 1, "name": "oak"}, {"id": 2, "name": "fir"}, {"id": 7, "name": "elm"}]),
        "none has a box",
        "elm",
    ),
    "no boxes": (coco(annotations=[]), "no boxes at all", "one annotation"),
    "no images at all": (coco(images=[], annotations=[]), "lists no images", "one image"),
    "no sizes": (coco(images=[{"id": 0, "file_name": "0.png"}]), "no width or height", "width"),
}


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("name", BAD_ANNOTATIONS)
def test_bad_annotations(name: str, split: str, root: pathlib.Path) -> None:
    content, what, allowed = BAD_ANNOTATIONS[name]
    path = root / f"{split}.json"
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DataError, match=what) as caught:
        check(experiment(root))
    (problem,) = caught.value.problems
    assert f"hyperparameters.dataset.{split}.ann_file" in problem.where
    assert problem.value
    assert allowed in problem.allowed
    assert problem.next


def test_a_training_set_that_the_filter_empties(root: pathlib.Path) -> None:
    images = [{"id": i, "file_name": f"{i}.png", "width": 20, "height": 20} for i in range(3)]
    (root / "train.json").write_text(json.dumps(coco(images=images)))
    with pytest.raises(DataError, match="leaves none of 3 images") as caught:
        check(experiment(root))  # the config's filter has min_size 32
    assert "min_size" in caught.value.problems[0].next


def test_missing_image_folder(root: pathlib.Path) -> None:
    with pytest.raises(DataError, match="image folder is missing") as caught:
        check(experiment(root, train={"ann_file": "train.json", "img_prefix": "nowhere"}))
    (problem,) = caught.value.problems
    assert problem.value == str(root / "nowhere")
    assert "dataset.train.img_prefix" in problem.where
    assert problem.next == f"ls {root}"


def test_missing_and_broken_images_are_named(root: pathlib.Path) -> None:
    (root / "train" / "1.png").unlink()
    (root / "val" / "2.png").write_bytes((root / "val" / "2.png").read_bytes()[:60])
    (root / "val" / "0.png").write_text("no image")
    with pytest.raises(DataError) as caught:
        check(experiment(root))
    missing, broken = caught.value.problems
    assert (missing.what, missing.value) == ("1 of 2 images that were looked for are missing", "1.png")
    assert broken.what.startswith("2 of 3 images")
    assert "0.png (not an image)" in broken.value
    assert "2.png" in broken.value


def test_wrapped_data_sets_are_checked(root: pathlib.Path) -> None:
    (root / "train.json").unlink()
    with pytest.raises(DataError, match="annotation file is missing"):
        check(experiment(root, "yolox/yolox_tiny_8xb8-300e_coco.py"))


def test_every_member_of_a_concatenation_is_checked(root: pathlib.Path) -> None:
    one = experiment(root)
    config = compose(one, slots=1).config.to_dict()
    dataset = config["train_dataloader"]["dataset"]
    other = {**dataset, "ann_file": "other.json"}
    config["train_dataloader"]["dataset"] = {"type": "ConcatDataset", "datasets": [dataset, other]}
    with pytest.raises(DataError, match=r"other\.json"):
        check_data(Config(config), one)


def test_without_the_short_form_the_place_is_the_override(root: pathlib.Path) -> None:
    path = root / "e.yaml"
    path.write_text(
        "searcher: {name: single, metric: bbox_mAP}\n"
        f"hyperparameters:\n  config_file: {RETINANET}\n  global_batch_size: 2\n"
        f"  override_mmdet_config:\n    train_dataloader.dataset.data_root: {root}\n"
        "    train_dataloader.dataset.ann_file: nowhere.json\n"
    )
    one = load_experiment(path)
    with pytest.raises(DataError) as caught:
        check(one)
    assert caught.value.problems[0].where.startswith(f"{path}:7:5 ")


def test_other_data_sets_only_have_to_exist(root: pathlib.Path) -> None:
    check(experiment(root, type="LVISV1Dataset"))  # its annotations have another form
    (root / "val.json").unlink()
    with pytest.raises(DataError, match="annotations are missing"):
        check(experiment(root, type="LVISV1Dataset"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"val_dataloader": ["fir", "oak"]}, "`val_dataloader.dataset` has other classes, or another order"),
        ({"val_dataloader": ["oak", "elm"]}, "`val_dataloader.dataset` has other classes, or another order"),
        ({"train_dataloader": ["oak"]}, "`model.bbox_head.num_classes` isn't the number of classes"),
        ({"train_dataloader": ["oak", "fir", "elm"]}, "model.bbox_head.num_classes=3"),
        ({"val_dataloader": ["oak", "fir", "elm"]}, ""),  # what is behind the common ones has no label in training
    ],
)
def test_classes_must_agree(changes: dict[str, list[str]], message: str, root: pathlib.Path) -> None:
    one = experiment(root)
    config = compose(one, slots=1).config.to_dict()
    for loader, classes in changes.items():
        config[loader]["dataset"]["metainfo"] = {"classes": classes}
    if not message:
        assert check_agreement(config, one) == "2 classes, the same in training, validation and model"
        return
    with pytest.raises(DataError) as caught:
        check_agreement(config, one)
    assert message in str(caught.value)
    assert all(problem.where and problem.allowed for problem in caught.value.problems)


def test_models_that_read_class_names_give_them_no_numbers(root: pathlib.Path) -> None:
    one = experiment(root)
    config = compose(one, slots=1).config.to_dict()
    config["model"] |= {"language_model": {}, "bbox_head": {"num_classes": 256}}
    assert "not looked at" in check_agreement(config, one)


def test_a_changed_file_is_read_again(root: pathlib.Path) -> None:
    check(experiment(root))
    (root / "val.json").write_text(json.dumps(coco(annotations=[])))
    with pytest.raises(DataError, match="no boxes"):
        check(experiment(root))


def test_data_behind_a_url_is_left_alone(root: pathlib.Path) -> None:
    one = experiment(root)
    config = compose(one, slots=1).config.to_dict()
    config["train_dataloader"]["dataset"]["data_root"] = "http://host/trees"
    steps = list(data_steps(Config(config), one))
    assert [step.run()[:13] for step in steps[:2]] == ["not looked at"] * 2


def test_sample_keeps_the_first_few_and_spreads_the_rest() -> None:
    found = sample(list(range(1000)), 20)
    assert len(found) == len({*found}) == 20
    assert found[:5] == [0, 1, 2, 3, 4]
    assert found[-1] > 900
    assert sample([1, 2], 20) == [1, 2]
