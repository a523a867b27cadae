"""YAML has only lists; the real components want lists here and tuples there."""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import pytest
from mmdet.registry import MODELS, TRANSFORMS
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

from model_def.compose.coerce import coerce
from model_def.compose.components import component
from model_def.compose.load import load_config
from model_def.compose.override import override
from model_def.compose.strict import argument
from model_def.compose.tree import at, dicts, walk
from model_def.zoo import zoo, zoo_names


def overridden(**overrides: Any) -> dict[str, Any]:
    config = load_config(zoo() / "retinanet/retinanet_r18_fpn_1x_coco.py", context=pathlib.Path.cwd(), where="test")
    return override(config, overrides, lambda *parts: ".".join(parts))[0]


PIPELINE = "train_dataloader.dataset.pipeline"
CASES = {
    "FPN asserts a list": ({"model.neck.in_channels": [32, 64]}, "model.neck.in_channels", [32, 64]),
    "a string is a tuple": ({f"{PIPELINE}.2.scale": "(96, 128)"}, f"{PIPELINE}.2.scale", (96, 128)),
    "Resize asserts a tuple": ({f"{PIPELINE}.2.scale": [96, 128]}, f"{PIPELINE}.2.scale", (96, 128)),
    "dynamic_intervals asserts tuples": (
        {"train_cfg.dynamic_intervals": [[5, 1]]},
        "train_cfg.dynamic_intervals",
        [(5, 1)],
    ),
    "betas": (
        {"optim_wrapper.optimizer.type": "AdamW", "optim_wrapper.optimizer.betas": [0.9, 0.99]},
        "optim_wrapper.optimizer.betas",
        (0.9, 0.99),
    ),
    "milestones stay a list": ({"param_scheduler.1.milestones": [3, 5]}, "param_scheduler.1.milestones", [3, 5]),
    "out_indices stay a tuple": ({"model.backbone.out_indices": [1, 2]}, "model.backbone.out_indices", (1, 2)),
    "a whole number for an integer": ({"train_cfg.max_epochs": 3.0}, "train_cfg.max_epochs", 3),
    "scales of a new transform": (
        {PIPELINE: [{"type": "RandomChoiceResize", "scales": [[64, 64], [96, 64]], "keep_ratio": True}]},
        f"{PIPELINE}.0.scales",
        [(64, 64), (96, 64)],
    ),
    "scales, some written as tuples": (
        {PIPELINE: [{"type": "RandomChoiceResize", "scales": [[64, 64], "(96, 64)"]}]},
        f"{PIPELINE}.0.scales",
        [(64, 64), (96, 64)],
    ),
    "a range of scales": (
        {PIPELINE: [{"type": "RandomResize", "scale": [[64, 64], [96, 64]]}]},
        f"{PIPELINE}.0.scale",
        [(64, 64), (96, 64)],
    ),
    "one scale": (
        {PIPELINE: [{"type": "RandomResize", "scale": [64, 96], "ratio_range": [0.5, 2]}]},
        f"{PIPELINE}.0.scale",
        (64, 96),
    ),
    "a crop": ({PIPELINE: [{"type": "RandomCrop", "crop_size": [64, 96]}]}, f"{PIPELINE}.0.crop_size", (64, 96)),
    "padding values": (
        {PIPELINE: [{"type": "Pad", "size_divisor": 32, "pad_val": {"img": [1, 2, 3]}}]},
        f"{PIPELINE}.0.pad_val.img",
        (1, 2, 3),
    ),
    "transforms in transforms": (
        {PIPELINE: [{"type": "RandomChoice", "transforms": [[{"type": "Resize", "scale": [2, 3]}]]}]},
        f"{PIPELINE}.0.transforms.0.0.scale",
        (2, 3),
    ),
    "an empty list": ({"param_scheduler.1.milestones": []}, "param_scheduler.1.milestones", []),
    "anchors": (
        {"model.bbox_head.anchor_generator.ratios": [0.7, 1, 1.4]},
        "model.bbox_head.anchor_generator.ratios",
        [0.7, 1, 1.4],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_types(name: str) -> None:
    overrides, path, expected = CASES[name]
    found = at(overridden(**overrides), tuple(path.split(".")))
    assert found == expected
    assert [type(v) for _, v in walk(found)] == [type(v) for _, v in walk(expected)]


@pytest.mark.usefixtures("mmdet_scope")
def test_the_real_components_take_them() -> None:
    config = overridden(
        **{
            "model.neck.in_channels": [64, 128, 256, 512],
            "train_cfg.dynamic_intervals": [[5, 1]],
            PIPELINE: [
                {"type": "Resize", "scale": [96, 128]},
                {"type": "RandomChoiceResize", "scales": [[64, 64], [96, 64]]},
                {"type": "RandomResize", "scale": [[64, 64], [96, 64]]},
                {"type": "RandomCrop", "crop_size": [64, 96]},
                {"type": "Mosaic", "img_scale": [64, 64]},
            ],
        }
    )
    MODELS.build(copy.deepcopy(config["model"]["neck"]))
    for transform in config["train_dataloader"]["dataset"]["pipeline"]:
        TRANSFORMS.build(copy.deepcopy(transform))
    loop = {key: value for key, value in config["train_cfg"].items() if key != "type"}
    EpochBasedTrainLoop(runner=None, dataloader=DataLoader([0]), **loop)


def yaml_form(value: Any) -> Any:
    """What YAML can say: lists in the place of tuples."""
    if isinstance(value, dict):
        return {key: yaml_form(item) for key, item in value.items()}
    return [yaml_form(item) for item in value] if isinstance(value, list | tuple) else value


def types(value: Any) -> list[type]:
    return [type(item) for _, item in walk(value)]


@pytest.mark.parametrize("name", zoo_names()[::40])
def test_what_the_zoo_has_survives_a_way_through_yaml(name: str) -> None:
    try:
        config = load_config(zoo() / name, context=pathlib.Path.cwd(), where="test")
    except Exception:  # noqa: BLE001 - some need packages that aren't installed; the zoo test counts them
        pytest.skip("does not load")
    for path, node in dicts({key: value for key, value in config.items() if key in ("model", "train_dataloader")}):
        for key, value in node.items():
            if isinstance(value, list | tuple):
                again = coerce(yaml_form(value), value, argument(node, path, key))
                assert (again, types(again)) == (value, types(value)), (path, key)


def test_signatures_go_through_kwargs_of_base_classes() -> None:
    retina = component("RetinaHead")
    assert retina is not None
    assert retina.accepts("anchor_generator")  # AnchorHead's
    assert not retina.accepts("anchor_generatr")
    coco = component("CocoDataset")
    assert coco is not None
    assert coco.accepts("serialize_data")  # BaseDataset's, through *args and **kwargs
    choice = component("RandomChoiceResize")
    assert choice is not None
    assert choice.accepts("keep_ratio")  # handed on to another transform
    assert component("NoSuchThing") is None


class Closed:
    def __init__(self, a: int = 0) -> None:
        self.a = a


class HandsOnToItsBase(Closed):
    def __init__(self, b: int = 0, **rest: int) -> None:
        super().__init__(**rest)


class KeepsForItself(Closed):
    def __init__(self, b: int = 0, **rest: int) -> None:
        super().__init__()
        self.rest = dict(**rest)


def test_kwargs_count_only_where_they_go() -> None:
    hands_on, keeps = component(HandsOnToItsBase), component(KeepsForItself)
    assert hands_on is not None
    assert keeps is not None
    assert hands_on.accepts("a")
    assert not hands_on.accepts("c")
    assert keeps.accepts("c")
