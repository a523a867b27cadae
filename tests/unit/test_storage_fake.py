"""`fake`: images are made, all else comes from the disk."""

from __future__ import annotations

import json
import pathlib

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.fileio.io import exists, get, get_local_path, get_text, put

from model_def.errors import ConfigError
from model_def.storage.client import Refused
from model_def.storage.fake import FakeBackend
from model_def.storage.register import register

FAKE = {"backend": "fake"}


@pytest.fixture(autouse=True)
def backends(monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    monkeypatch.setattr("mmengine.fileio.io.backend_instances", {})


def test_a_transform_loads_images_that_are_nowhere() -> None:
    load = LoadImageFromFile(backend_args=FAKE)
    images = [load({"img_path": f"s3://nowhere/train2017/{index}.jpg"})["img"] for index in range(8)]
    assert {image.shape for image in images} == {(480, 640, 3)}
    assert len({image.tobytes() for image in images}) > 3
    assert all(image.std() > 20 for image in images)
    again = FakeBackend(size=(640, 480)).get("s3://nowhere/train2017/0.jpg")
    assert again == get("s3://nowhere/train2017/0.jpg", FAKE)  # in another process too: nothing is random


@pytest.mark.parametrize(
    ("name", "shape"), [("leftImg8bit/x.png", (100, 200, 3)), ("panoptic_train2017/x.png", (100, 200))]
)
def test_a_png_is_a_picture_or_a_map_of_zeros(name: str, shape: tuple[int, ...]) -> None:
    content = FakeBackend(size=(200, 100)).get(f"data/{name}")
    assert content.startswith(b"\x89PNG")
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels.shape == shape
    assert bool(pixels.any()) == (len(shape) == 3)


def test_annotations_stay_on_the_disk(tmp_path: pathlib.Path) -> None:
    put(json.dumps({"images": []}).encode(), tmp_path / "train.json", FAKE)
    assert json.loads(get_text(tmp_path / "train.json", backend_args=FAKE)) == {"images": []}
    with get_local_path(tmp_path / "train.json", FAKE) as path:
        assert path == str(tmp_path / "train.json")
    assert not exists(tmp_path / "val.json", FAKE)
    assert exists("gs://nowhere/x.jpg", FAKE)
    with get_local_path("gs://nowhere/x.jpg", FAKE) as path:
        assert cv2.imread(path).shape == (480, 640, 3)
    with pytest.raises(FileNotFoundError):
        get(tmp_path / "val.json", FAKE)
    for action in (lambda: get("s3://bucket/train.json", FAKE), lambda: put(b"", "s3://bucket/x.json", FAKE)):
        with pytest.raises(Refused, match="must be on the local disk"):
            action()


def test_what_a_store_takes_may_stay_and_what_nobody_takes_may_not() -> None:
    FakeBackend(endpoint_url="http://minio:9000", threads=4, cache={"size": "1 GB"})
    with pytest.raises(ConfigError, match="no such option of a store: 'thread'"):
        FakeBackend(thread=4)
    with pytest.raises(ConfigError, match=r"width and height"):
        FakeBackend(size=(0, 480))
