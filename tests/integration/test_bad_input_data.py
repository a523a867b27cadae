"""Mistakes in annotations and images: `train` and `check` say the same, and write nothing."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from model_def.checks.images import OPENED, sample
from tests.support.place import Mistake, Place, assert_refused, build, says

REPO = pathlib.Path(__file__).parents[2]
ROOT = "    root: data\n"
TRAIN, VAL = "tiny.yaml:8:13 (hyperparameters.dataset.train.ann_file)", "tiny.yaml:9:11 (hyperparameters.dataset.val"
IMAGES = "tiny.yaml:8:35 (hyperparameters.dataset.train.img_prefix)"


def without(*names: str) -> Callable[[Place], None]:
    """Removes files or folders."""

    def remove(place: Place) -> None:
        for path in (place.root / "data" / name for name in names):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return remove


def holding(name: str, content: str | bytes) -> Callable[[Place], object]:
    """Writes a file of the data set."""
    return lambda place: (place.root / "data" / name).write_bytes(
        content.encode() if isinstance(content, str) else content
    )


def cut(name: str) -> Callable[[Place], object]:
    """Cuts a file off."""
    return lambda place: (place.root / "data" / name).write_bytes((place.root / "data" / name).read_bytes()[:100])


def annotated(change: Callable[[dict[str, Any]], Any], split: str = "train") -> Callable[[Place], None]:
    """Changes an annotation file."""
    return lambda place: place.annotations(change, split)


def folder_for_file(place: Place) -> None:
    """A folder where the annotations should be."""
    (place.root / "data/val.json").unlink()
    (place.root / "data/val.json").mkdir()


ANNOTATIONS: dict[str, Mistake] = {
    "all missing": says(
        "the data set is missing: there is no such folder: 'nowhere'",
        "tiny.yaml:7:5 (hyperparameters.dataset.root)",
        edit=(ROOT, "    root: nowhere\n    classes: [rectangle, ellipse]\n"),
    ),
    "missing": says("the annotation file is missing", "data/train.json", TRAIN, prepare=without("train.json")),
    "missing to validate": says("the annotation file is missing", "val.json", VAL, prepare=without("val.json")),
    "missing for the evaluator": says(
        "the annotation file is missing",
        "nothing.json",
        "command line (val_evaluator.ann_file=nothing.json)",
        arguments=("val_evaluator.ann_file=nothing.json",),
    ),
    "missing by an override": says(
        "nothing.json",
        "command line (train_dataloader.dataset.ann_file=nothing.json)",
        arguments=("train_dataloader.dataset.ann_file=nothing.json",),
    ),
    "a folder": says("can't be read (Is a directory)", "ls -l", VAL, prepare=folder_for_file),
    "not JSON": says(
        "isn't JSON", "'train.json'", "train.json:1:2, from tiny.yaml:8:13", prepare=holding("train.json", "{'")
    ),
    "not text": says("isn't JSON: it isn't text", TRAIN, prepare=holding("train.json", b"\xff\xfe\0")),
    "a list": says("isn't COCO: it holds a list", 'a COCO file: {"images"', prepare=holding("train.json", "[]")),
    "no categories": says("it has no 'categories'", TRAIN, prepare=annotated(lambda c: c.pop("categories"))),
    "empty categories": says("has none of them", TRAIN, prepare=annotated(lambda c: c["categories"].clear())),
    "no file names": says(
        "isn't COCO", VAL, prepare=annotated(lambda c: [image.pop("file_name") for image in c["images"]], "val")
    ),
    "no sizes": says(
        "an image has no width or height", '"width": 640', prepare=annotated(lambda c: c["images"][1].pop("width"))
    ),
    "no area": says(
        "isn't COCO: annotation 2 has no 'area'", TRAIN, prepare=annotated(lambda c: c["annotations"][2].pop("area"))
    ),
    "a box of three": says(
        "annotation 0 has no box of four numbers",
        "but [1, 2, 3]",
        VAL,
        prepare=annotated(lambda c: c["annotations"][0].update(bbox=[1, 2, 3]), "val"),
    ),
    "no image to train": says("lists no images", TRAIN, prepare=annotated(lambda c: c["images"].clear())),
    "no image to validate": says(
        "the data set is empty: the file lists no images: 'val.json'",
        VAL,
        prepare=annotated(lambda c: (c["images"].clear(), c["annotations"].clear()), "val"),
    ),
    "no box": says("there are no boxes at all", TRAIN, prepare=annotated(lambda c: c["annotations"].clear())),
    "no box to validate": says(
        "there are no boxes at all", "'val.json'", VAL, prepare=annotated(lambda c: c["annotations"].clear(), "val")
    ),
    "no large enough image": says(
        "'min_size': 100} leaves none of 4 images",
        "lower `filter_cfg.min_size`",
        arguments=("train_dataloader.dataset.filter_cfg.min_size=100",),
    ),
    "other classes": says(
        "the classes filter out every annotation: the file has none of them: 'oak, fir'",
        "tiny.yaml:9:13 (hyperparameters.dataset.train.ann_file)",
        "write `dataset.classes: [rectangle, ellipse]`",
        edit=(ROOT, f"{ROOT}    classes: [oak, fir]\n"),
    ),
    "an absent class": says(
        "1 of 2 classes are not in the annotation file: 'oak'",
        "rectangle, ellipse",
        edit=(ROOT, f"{ROOT}    classes: [oak, ellipse]\n"),
    ),
    "a class without boxes": says(
        "the classes filter out every annotation: none has a box",
        "rectangle (",
        prepare=annotated(lambda c: c["categories"].append({"id": 9, "name": "oak"})),
        edit=(ROOT, f"{ROOT}    classes: [oak]\n"),
    ),
    "classes in another order": says(
        "the classes are in another order than in the annotation file",
        "'ellipse, rectangle'",
        edit=(ROOT, f"{ROOT}    classes: [ellipse, rectangle]\n"),
    ),
    "classes in another order to validate": says(
        "the classes are in another order", VAL, prepare=annotated(lambda c: c["categories"].reverse(), "val")
    ),
}

IMAGE: dict[str, Mistake] = {
    "no folder": says("the image folder is missing", "data/train'", IMAGES, prepare=without("train")),
    "a file for a folder": says(
        "the image folder is a file",
        "data/val'",
        prepare=lambda place: (without("val")(place), holding("val", "")(place)),
    ),
    "one is missing": says(
        "1 of 4 images that were looked for are missing: '000002.png'", IMAGES, prepare=without("train/000002.png")
    ),
    "one more than may be": says(
        "2 of 4 images that were opened are broken",
        "`max_broken_images: 10` leaves such images out",
        arguments=("max_broken_images=1",),
        prepare=lambda place: (cut("train/000001.png")(place), cut("train/000002.png")(place)),
    ),
    "one is cut off": says("'000002.png (image file is truncated)'", "tiny.yaml:9:31", prepare=cut("val/000002.png")),
    "one is empty": says("'000003.png (not an image)'", IMAGES, prepare=holding("train/000003.png", "")),
    "one is text": says("'000001.png (not an image)'", IMAGES, prepare=holding("train/000001.png", "<html>")),
}


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize("name", ANNOTATIONS)
def test_annotations(name: str, command: str, place: Place) -> None:
    ANNOTATIONS[name].make(place)
    assert_refused(place, command, "tiny.yaml", *ANNOTATIONS[name].arguments, words=ANNOTATIONS[name].says)


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize("name", IMAGE)
def test_images(name: str, command: str, place: Place) -> None:
    IMAGE[name].make(place)
    assert_refused(place, command, "tiny.yaml", *IMAGE[name].arguments, words=IMAGE[name].says)


def test_broken_images_that_may_be_are_left_out(place: Place) -> None:
    cut("train/000002.png")(place)
    code, out, err = place.run("check", "tiny.yaml", "max_broken_images=1")
    assert (code, err) == (0, "")
    assert "4 of 4 files are there; 1 broken, left out (max_broken_images: 1)" in " ".join(out.split())


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize("name", ["quickstart", "digits"])
def test_data_that_is_not_built_yet(name: str, command: str, place: Place) -> None:
    experiment = str(REPO / "experiments" / f"{name}.yaml")
    words = ("is missing", f"data/{name}", f"python -m model_def data {name}\n")
    said = assert_refused(place, command, experiment, words=words)
    assert said.count("next:") == 1, "one message for all of its files"


def test_every_problem_of_the_data_is_told_at_once(place: Place) -> None:
    without("train/000001.png")(place)
    cut("val/000001.png")(place)
    place.annotations(lambda c: c["annotations"][0].update(bbox=None), "val")
    assert_refused(place, "train", "tiny.yaml", words=("'000001.png'", "(image file is truncated)", "but None"))


@pytest.fixture
def deep(place: Place) -> str:
    """A broken image that is not among those that are looked at before a training; returns its name."""
    shutil.rmtree("data")
    build(place.root, images=OPENED + 4)
    names = [f"{number + 1:06}.png" for number in range(OPENED + 4)]
    unseen = next(name for name in names if name not in sample(names, OPENED))
    cut(f"train/{unseen}")(place)
    return unseen


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("loop", ["epochs", "iterations"])
def test_a_broken_image_that_shows_while_training(loop: str, workers: int, deep: str, place: Place) -> None:
    arguments = [f"train_dataloader.num_workers={workers}"]
    if loop == "iterations":
        arguments.append("train_cfg={_delete_: true, type: IterBasedTrainLoop, max_iters: 20, val_interval: 20}")
    words = (f"an image is missing or broken: 'data/train/{deep}'",)
    assert_refused(place, "train", "tiny.yaml", *arguments, words=words)


def test_what_was_measured_before_a_broken_image_stays(deep: str, place: Place) -> None:
    code, _, err = place.run("train", "tiny.yaml", "--output", "run", "scheduling_unit=1")
    assert code == 2
    assert deep in err
    assert "Traceback" not in err
    assert {"experiment.yaml", "config.py", "metrics.jsonl"} < {path.name for path in pathlib.Path("run").iterdir()}
    assert '"loss"' in pathlib.Path("run/metrics.jsonl").read_text()
