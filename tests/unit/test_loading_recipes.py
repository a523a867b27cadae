"""Caches of augmented images go on from a small note of how each image was made."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.utils import register_all_modules

from model_def.loading.memory import Memory
from model_def.rng import rng_state, set_rng_state
from model_def.state.plain import plain

FLIP = {"type": "RandomFlip", "prob": 0.5}


def pipeline(*, random_pop: bool, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """RTMDet's, in small."""
    return [
        {"type": "LoadImageFromFile"},
        {"type": "LoadAnnotations", "with_bbox": True},
        *before,
        {"type": "CachedMosaic", "img_scale": (64, 64), "max_cached_images": 7, "random_pop": random_pop},
        {"type": "RandomResize", "scale": (128, 128), "ratio_range": (0.5, 2.0), "keep_ratio": True},
        {"type": "RandomCrop", "crop_size": (64, 64)},
        {"type": "YOLOXHSVRandomAug"},
        FLIP,
        {"type": "Pad", "size": (64, 64)},
        {"type": "CachedMixUp", "img_scale": (64, 64), "max_cached_images": 5, "random_pop": random_pop},
        FLIP,
        {"type": "CachedMixUp", "img_scale": (64, 64), "max_cached_images": 4, "random_pop": random_pop, "prob": 0.5},
        {"type": "PackDetInputs"},
    ]


def build(context, **options: Any) -> CocoDataset:
    register_all_modules()
    return CocoDataset(
        data_root=str(context / "data/shapes"),
        ann_file="train.json",
        data_prefix={"img": "train/"},
        metainfo={"classes": ("rectangle", "ellipse")},
        pipeline=pipeline(**options),
    )


def samples(dataset: CocoDataset, indices: list[int]) -> list[tuple[Any, Any]]:
    made = [dataset[index] for index in indices]
    return [(each["inputs"], each["data_samples"].gt_instances.bboxes.tensor) for each in made]


def equal(a: list[tuple[Any, Any]], b: list[tuple[Any, Any]]) -> bool:
    return all(torch.equal(x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True))


def seed() -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)


OPTIONS = [
    {"random_pop": True, "before": []},
    {"random_pop": False, "before": []},
    {"random_pop": True, "before": [FLIP]},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("cut", [2, 5, 30])
def test_goes_on(options, cut, shapes_context):
    order = [random.Random(0).randrange(24) for _ in range(cut + 8)]
    plain_dataset = build(shapes_context, **options)
    seed()
    expected = samples(plain_dataset, order)

    dataset = build(shapes_context, **options)
    memory = Memory(dataset)
    seed()
    assert equal(samples(dataset, order[:cut]), expected[:cut]), "taking notes changes nothing"
    file = io.BytesIO()
    torch.save({"rng": plain(rng_state(), where=""), "memory": plain(memory.state_dict(), where="")}, file)
    assert file.tell() < 200_000, "no images"

    file.seek(0)
    state = torch.load(file, weights_only=True)
    resumed = build(shapes_context, **options)
    again = Memory(resumed)
    again.load_state_dict(state["memory"])
    set_rng_state(state["rng"])
    assert plain(again.state_dict(), where="") == state["memory"]
    assert equal(samples(resumed, order[cut:]), expected[cut:])
    assert Memory(resumed).state_dict() == again.state_dict(), "a pipeline is prepared once"


def test_only_wanted_images_are_made_again(shapes_context, monkeypatch):
    dataset = build(shapes_context, random_pop=True, before=[])
    memory = Memory(dataset)
    samples(dataset, list(range(20)))
    resumed = build(shapes_context, random_pop=True, before=[])
    loaded = []
    prepare = resumed.prepare_data
    resumed.prepare_data = lambda index: (loaded.append(index), prepare(index))[1]
    Memory(resumed).load_state_dict(memory.state_dict())
    assert loaded == []
    resumed[0]
    assert 0 < len(loaded) < 20


def test_a_cache_of_another_kind_is_named(shapes_context):
    dataset = build(shapes_context, random_pop=True, before=[])
    mosaic = dataset.pipeline.transforms[2]

    class Own(type(mosaic)):
        def transform(self, results):
            return results

    mosaic.__class__ = Own
    assert Memory(dataset).lost == ["Own"]
