"""Whole pipelines of mmdet 2.x."""

from __future__ import annotations

import functools
import pathlib
from typing import Any

import pytest
import yaml

from model_def.compose.load import load_config
from model_def.compose.override import override
from model_def.migrate.meaning import Around
from model_def.migrate.overrides import translate
from model_def.migrate.transforms import Untranslatable, transform
from model_def.zoo import zoo

MASK = "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"
NORMALIZE = "{type: Normalize, mean: [1.0, 2.0, 3.0], std: [4.0, 5.0, 6.0], to_rgb: false}"
TRAIN = f"""
data.train.pipeline:
  - {{type: LoadImageFromFile, file_client_args: {{backend: disk}}}}
  - {{type: LoadAnnotations, with_bbox: true, with_mask: true, poly2mask: false}}
  - {{type: Resize, img_scale: [[1333, 640], [1333, 800]], multiscale_mode: range, keep_ratio: true}}
  - {{type: RandomFlip, flip_ratio: 0.5}}
  - {NORMALIZE}
  - {{type: Pad, size_divisor: 64}}
  - {{type: DefaultFormatBundle}}
  - {{type: Collect, keys: [img, gt_bboxes, gt_labels, gt_masks]}}
"""
VAL = f"""
data.val.pipeline:
  - {{type: LoadImageFromFile}}
  - type: MultiScaleFlipAug
    img_scale: [1333, 800]
    flip: false
    transforms:
      - {{type: Resize, keep_ratio: true}}
      - {{type: RandomFlip}}
      - {NORMALIZE}
      - {{type: Pad, size_divisor: 64}}
      - {{type: ImageToTensor, keys: [img]}}
      - {{type: Collect, keys: [img]}}
"""
PREPROCESSOR = {
    "model.data_preprocessor.mean": [1.0, 2.0, 3.0],
    "model.data_preprocessor.std": [4.0, 5.0, 6.0],
    "model.data_preprocessor.bgr_to_rgb": False,
    "model.data_preprocessor.pad_size_divisor": 64,
}


@functools.cache
def base(name: str = MASK) -> dict[str, Any]:
    return load_config(zoo() / name, context=pathlib.Path.cwd(), where="test")


def translated(text: str, name: str = MASK) -> dict[str, Any]:
    found = translate(yaml.safe_load(text), Around(config=base(name), old={}))
    assert not found.refused, found.refused
    return found.overrides


def assembled(text: str, name: str = MASK) -> dict[str, Any]:
    """The config with the translated overrides, which the strict checks accept."""
    return override(base(name), translated(text, name), lambda *parts: ".".join(parts))[0]


def test_training() -> None:
    expected = [
        {"type": "LoadImageFromFile", "backend_args": None},
        {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True, "poly2mask": False},
        {"type": "RandomResize", "scale": [[1333, 640], [1333, 800]], "keep_ratio": True},
        {"type": "RandomFlip", "prob": 0.5},
        {"type": "PackDetInputs"},
    ]
    assert translated(TRAIN) == {"train_dataloader.dataset.pipeline": expected, **PREPROCESSOR}
    resize = assembled(TRAIN)["train_dataloader"]["dataset"]["pipeline"][2]
    assert resize["scale"] == [(1333, 640), (1333, 800)]  # RandomResize wants tuples


def test_validation_loads_the_truth_where_the_config_does() -> None:
    assert assembled(VAL)["val_dataloader"]["dataset"]["pipeline"] == [
        {"type": "LoadImageFromFile"},
        {"type": "Resize", "scale": (1333, 800), "keep_ratio": True},
        {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True},
        base()["val_dataloader"]["dataset"]["pipeline"][-1],  # with the keys that evaluators need
    ]


def test_both_may_say_how_to_normalize() -> None:
    assert assembled(TRAIN + VAL)["model"]["data_preprocessor"]["mean"] == [1.0, 2.0, 3.0]


def test_two_that_normalize_differently_are_refused() -> None:
    other = VAL.replace("[1.0, 2.0, 3.0]", "[0.0, 0.0, 0.0]")
    found = translate(yaml.safe_load(TRAIN + other), Around(config=base(), old={}))
    assert [one.old for one in found.refused] == ["data.val.pipeline"]


def test_mosaic_in_two_pipelines() -> None:
    text = """
data.train.pipeline:
  - {type: Mosaic, img_scale: [640, 480], pad_val: 114.0, skip_filter: true, min_bbox_size: 1}
  - {type: RandomAffine, scaling_ratio_range: [0.1, 2], border: [-320, -240]}
  - {type: RandomFlip, flip_ratio: 0.5}
  - {type: Collect, keys: [img, gt_bboxes, gt_labels]}
data.train.dataset.pipeline:
  - {type: LoadImageFromFile}
  - {type: LoadAnnotations, with_bbox: true, denorm_bbox: false}
  - {type: Collect, keys: [img]}
"""
    dataset = assembled(text, "yolox/yolox_s_8xb8-300e_coco.py")["train_dataloader"]["dataset"]
    mosaic, affine = dataset["pipeline"][:2]
    assert mosaic == {"type": "Mosaic", "img_scale": (480, 640), "pad_val": 114.0}
    assert affine["border"] == (-240, -320)
    assert dataset["dataset"]["pipeline"][1] == {"type": "LoadAnnotations", "with_bbox": True}


def test_panoptic_heads_scale_the_truth_themselves() -> None:
    text = "data.train.pipeline: [{type: SegRescale, scale_factor: 0.25}, {type: Collect, keys: [img]}]"
    steps = assembled(text, "panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py")["train_dataloader"]["dataset"]["pipeline"]
    assert steps == [{"type": "PackDetInputs"}]


STEPS = {
    "one scale": ("Resize, img_scale: [1333, 800]", "Resize, scale: [1333, 800], keep_ratio: true"),
    "one scale in a list": ("Resize, img_scale: [[1333, 800]]", "Resize, scale: [1333, 800], keep_ratio: true"),
    "no ratio": ("Resize, img_scale: [9, 9], keep_ratio: false", "Resize, scale: [9, 9], keep_ratio: false"),
    "choice": (
        "Resize, img_scale: [[9, 8], [9, 7], [9, 6]], multiscale_mode: value",
        "RandomChoiceResize, scales: [[9, 8], [9, 7], [9, 6]], keep_ratio: true",
    ),
    "range, by default": (
        "Resize, img_scale: [[7, 9], [9, 8]], override: true",
        "RandomResize, scale: [[9, 7], [9, 8]], keep_ratio: true",
    ),
    "ratios": (
        "Resize, img_scale: [9, 8], ratio_range: [0.1, 2.0]",
        "RandomResize, scale: [9, 8], ratio_range: [0.1, 2.0], keep_ratio: true",
    ),
    "clipped": (
        "Resize, img_scale: [9, 8], bbox_clip_border: false",
        "Resize, scale: [9, 8], keep_ratio: true, clip_object_border: false",
    ),
    "flip": ("RandomFlip, flip_ratio: [0.3, 0.2]", "RandomFlip, prob: [0.3, 0.2]"),
    "shift": ("RandomShift, shift_ratio: 0.1", "RandomShift, prob: 0.1"),
    "pad": ("Pad, size: [480, 640]", "Pad, size: [640, 480]"),
    "crop": ("RandomCrop, crop_size: [480, 640]", "RandomCrop, crop_size: [640, 480]"),
    "crop in a range": (
        "RandomCrop, crop_type: absolute_range, crop_size: [384, 600]",
        "RandomCrop, crop_type: absolute_range, crop_size: [384, 600]",
    ),
    "corners": ("RandomCenterCropPad, crop_size: [1, 2]", "RandomCenterCropPad, crop_size: [2, 1]"),
    "mixup": (
        "MixUp, img_scale: [4, 5], min_bbox_size: 5, min_area_ratio: 0.2, max_aspect_ratio: 20",
        "MixUp, img_scale: [5, 4]",
    ),
    "auto": (
        "AutoAugment, policies: [[{type: Resize, img_scale: [9, 8]}], [{type: RandomFlip, flip_ratio: 1.0}]]",
        "AutoAugment, policies: [[{type: Resize, scale: [9, 8], keep_ratio: true}], [{type: RandomFlip, prob: 1.0}]]",
    ),
    "albu": (
        "Albu, transforms: [], bbox_params: {type: BboxParams, label_fields: [gt_labels]}, update_pad_shape: false",
        "Albu, transforms: [], bbox_params: {type: BboxParams, label_fields: [gt_bboxes_labels, gt_ignore_flags]}",
    ),
    "bucket": (
        "LoadImageFromFile, file_client_args: {backend: petrel}",
        "LoadImageFromFile, backend_args: {backend: petrel}",
    ),
    "the same today": ("PhotoMetricDistortion, hue_delta: 18", "PhotoMetricDistortion, hue_delta: 18"),
}


@pytest.mark.parametrize(("old", "new"), STEPS.values(), ids=STEPS)
def test_step(old: str, new: str) -> None:
    assert transform(yaml.safe_load(f"{{type: {old}}}")) == yaml.safe_load(f"{{type: {new}}}")


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("[{type: MultiScaleFlipAug, img_scale: [9, 8], flip: true, transforms: []}]", "Resize"),
        ("[{type: MultiScaleFlipAug, img_scale: [[9, 8], [9, 7]], transforms: []}]", "Resize"),
        ("[{type: LoadProposals}, {type: Collect, keys: [img]}]", "fast_rcnn"),
        ("[{type: Mosaic, skip_filter: false}, {type: Collect, keys: [img]}]", "without `skip_filter`"),
    ],
)
def test_refused(text: str, instead: str) -> None:
    found = translate(yaml.safe_load(f"data.train.pipeline: {text}"), Around(config=base(), old={}))
    assert instead in found.refused[0].instead


def test_meta_keys_have_what_evaluators_need() -> None:
    text = "data.train.pipeline: [{type: Collect, keys: [img], meta_keys: [filename, ori_filename, flip, pad_shape]}]"
    assert translated(text)["train_dataloader.dataset.pipeline"] == [
        {"type": "PackDetInputs", "meta_keys": ["img_id", "img_path", "flip"]}
    ]


def test_an_argument_that_is_gone_and_meant_something() -> None:
    with pytest.raises(Untranslatable, match="update_pad_shape"):
        transform({"type": "Albu", "update_pad_shape": True})
