"""What is drawn while a sample is made comes together, and the samples are those of the disk."""

from __future__ import annotations

import random
import threading
from typing import Any

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmdet.datasets import MultiImageMixDataset
from mmengine.fileio import get_file_backend

from model_def.loading.ahead import fetch_ahead
from model_def.loading.drawn import fetch_drawn
from model_def.loading.stores import store_of
from model_def.storage.address import Address
from model_def.storage.backend import StoreBackend

FRAMES = 3


@pytest.fixture
def shapes(s3_bucket: Address, shapes_context: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    get_file_backend(str(s3_bucket)).copytree_from_local(shapes_context / "data/shapes", f"{s3_bucket}shapes")
    return f"{s3_bucket}shapes"


def mosaics(root: str) -> MultiImageMixDataset:
    store = {"backend": "s3"} if "://" in root else None
    images = {
        "type": "mmdet.CocoDataset",
        "data_root": root,
        "ann_file": "train.json",
        "data_prefix": {"img": "train/"},
        "metainfo": {"classes": ("rectangle", "ellipse")},
        "pipeline": [
            {"type": "mmcv.LoadImageFromFile", "backend_args": store},
            {"type": "mmdet.LoadAnnotations", "with_bbox": True},
        ],
        "backend_args": store,
    }
    steps = [{"type": "mmdet.Mosaic", "img_scale": (64, 64)}, {"type": "mmdet.PackDetInputs", "meta_keys": ()}]
    return MultiImageMixDataset(dataset=images, pipeline=steps)


def samples(dataset: Any) -> list[Any]:
    random.seed(0), np.random.seed(0)
    return [sample["inputs"] for sample in map(dataset.__getitem__, range(4))]


def meeting(store: StoreBackend, number: int, monkeypatch: pytest.MonkeyPatch) -> threading.Barrier:
    """Lets an object be fetched only while `number` others are; broken if they don't come in time."""
    together, read = threading.Barrier(number, timeout=10), store._read

    def wait_and_read(address: Address) -> bytes:
        together.wait()
        return read(address)

    monkeypatch.setattr(store._ahead, "_read", wait_and_read)
    return together


def test_a_mosaic_is_that_of_the_disk(shapes: str, shapes_context: Any) -> None:
    ours, theirs = mosaics(shapes), mosaics(str(shapes_context / "data/shapes"))
    fetch_ahead(ours)
    assert all((one == other).all() for one, other in zip(samples(ours), samples(theirs), strict=True))
    assert random.random() == [random.seed(0), np.random.seed(0), samples(theirs), random.random()][-1]


def test_the_further_images_of_a_mosaic_come_together(shapes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = mosaics(shapes)
    store = store_of(data)
    assert store is not None
    fetch_drawn(data, store)
    meeting(store, 3, monkeypatch)
    np.random.seed(0)
    indices = data.pipeline[0].get_indexes(data.dataset)
    assert len({*indices}) == 3
    assert all(data.dataset[index]["img"].size for index in indices)


def test_the_frames_of_a_video_come_together(shapes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Video:
        """Three frames, drawn by its pipeline."""

        def __init__(self) -> None:
            loading = {"type": "mmcv.LoadImageFromFile", "backend_args": {"backend": "s3"}}
            self.pipeline = Compose([lambda _: frames, {"type": "TransformBroadcaster", "transforms": [loading]}])

    images = mosaics(shapes).dataset
    frames = {"img_path": [images.get_data_info(index)["img_path"] for index in range(FRAMES)]}
    store = store_of(images)
    assert store is not None
    video = Video()
    fetch_drawn(video, store)
    meeting(store, FRAMES, monkeypatch)
    assert len(video.pipeline({})["img"]) == FRAMES
