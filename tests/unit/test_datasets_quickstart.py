"""The tree data set: real photographs, held-out ground. The package is downloaded once and then kept in the cache."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from model_def.datasets import DataSet, quickstart
from model_def.datasets.quickstart import GROUND, TILE, tiles, voc_boxes
from model_def.datasets.tiles import Rect
from model_def.errors import DataError


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    try:
        return quickstart(tmp_path_factory.mktemp("data") / "quickstart")
    except DataError as error:
        if "can't be downloaded" in str(error):
            pytest.skip(f"this test needs the network once, to fetch the photographs: {error}")
        raise


def annotations(data: DataSet, part: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((data.root / data.splits[part].ann_file).read_text())
    return content


def meet(a: Rect, b: Rect) -> bool:
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom


def test_no_validation_pixel_is_in_training_or_in_two_tiles() -> None:
    train, val = tiles("train"), tiles("val")
    for name in val:
        assert not any(meet(a, b) for a, b in itertools.product(train[name], val[name]))
        assert not any(meet(a, b) for a, b in itertools.combinations(val[name], 2))


def test_tiles_stay_on_their_ground() -> None:
    for part, grounds in GROUND.items():
        for name, ground in grounds.items():
            for tile in tiles(part)[name]:
                assert ground.left <= tile.left < tile.right <= ground.right
                assert ground.top <= tile.top < tile.bottom <= ground.bottom


def test_voc_counts_from_one_and_includes_the_last_pixel() -> None:
    xml = b"<a><object><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object></a>"
    assert voc_boxes(xml).tolist() == [[0, 1, 3, 4]]


def test_counts_and_files(trees: DataSet) -> None:
    counts = {part: (split.images, split.annotations) for part, split in trees.splits.items()}
    assert counts == {"train": (104, 2013), "val": (12, 226)}
    assert sorted(path.name for path in trees.root.iterdir()) == sorted(
        ["LICENSE", "SOURCE.md", "manifest.json", "train", "train.json", "val", "val.json"]
    )
    assert "MIT" in (trees.root / "SOURCE.md").read_text()
    assert "Ben Weinstein" in (trees.root / "LICENSE").read_text()


@pytest.mark.parametrize("part", ["train", "val"])
def test_the_annotations_are_valid_coco(trees: DataSet, part: str) -> None:
    coco = COCO(str(trees.root / trees.splits[part].ann_file))
    content = annotations(trees, part)
    assert len(coco.imgs) == len(content["images"])
    assert len(coco.anns) == len(content["annotations"])
    assert [category["name"] for category in content["categories"]] == ["tree"]
    # pycocotools takes an annotation with the id 0 for "no match".
    assert [entry["id"] for entry in content["annotations"]] == list(range(1, trees.splits[part].annotations + 1))
    for entry in content["annotations"]:
        x, y, width, height = entry["bbox"]
        assert 0 <= x < x + width <= TILE
        assert 0 <= y < y + height <= TILE
        assert entry["area"] == width * height > 0


@pytest.mark.parametrize("part", ["train", "val"])
def test_the_images_are_rgb_tiles_of_the_named_place(trees: DataSet, part: str) -> None:
    """Tiles that share ground must agree on its pixels; this holds only if each was cut where its entry says."""
    canvas: dict[str, np.ndarray[Any, Any]] = {}
    for image in annotations(trees, part)["images"]:
        with Image.open(trees.root / part / image["file_name"]) as file:
            assert (file.mode, file.size) == ("RGB", (TILE, TILE))
            pixels = np.asarray(file).astype(int)
        x, y = image["origin"]
        seen = canvas.setdefault(image["source"], np.full((2472, 2299, 3), -1))
        here = seen[y : y + TILE, x : x + TILE]
        known = here >= 0
        assert (here[known] == pixels[known]).all()
        assert part == "train" or not known.any()
        here[:] = pixels


def test_a_second_call_needs_no_network(trees: DataSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert not quickstart(trees.root).fresh
