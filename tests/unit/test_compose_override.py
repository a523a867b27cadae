"""Overrides: what they may set, and what is said about a path that leads nowhere."""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import pytest

from model_def.compose.load import load_config
from model_def.compose.override import override
from model_def.compose.tree import at, get, merged
from model_def.errors import ConfigError
from model_def.zoo import zoo


def where(*parts: str) -> str:
    return f"e.yaml:9:5 ({'.'.join(parts)})"


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return zoo_config("mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py")


def zoo_config(name: str) -> dict[str, Any]:
    return load_config(zoo() / name, context=pathlib.Path.cwd(), where="test")


def applied(config: dict[str, Any], **overrides: Any) -> dict[str, Any]:
    before = copy.deepcopy((config, overrides))
    result, _ = override(config, overrides, where)
    assert (config, overrides) == before, "an input was changed"
    return result


SETTABLE = {
    "an existing value": ({"optim_wrapper.optimizer.lr": 0.1}, "optim_wrapper.optimizer.lr", 0.1),
    "nested": ({"optim_wrapper": {"optimizer": {"lr": 0.1}}}, "optim_wrapper.optimizer.lr", 0.1),
    "mixed": ({"optim_wrapper": {"optimizer.lr": 0.1}}, "optim_wrapper.optimizer.lr", 0.1),
    "an argument that the config leaves out": (
        {"optim_wrapper.clip_grad.max_norm": 10},
        "optim_wrapper.clip_grad",
        {"max_norm": 10},
    ),
    "an argument of a base class": (
        {"train_dataloader.dataset.lazy_init": True},
        "train_dataloader.dataset.lazy_init",
        True,
    ),
    "an argument of the DataLoader": ({"train_dataloader.pin_memory": True}, "train_dataloader.pin_memory", True),
    "a section that the config has as None": ({"visualizer.save_dir": "x"}, "visualizer.save_dir", "x"),
    "a section that is missing": ({"custom_hooks": [{"type": "EMAHook"}]}, "custom_hooks", [{"type": "EMAHook"}]),
    "a list item": ({"param_scheduler.1.gamma": 0.5}, "param_scheduler.1.gamma", 0.5),
    "the last list item": ({"param_scheduler.-1.gamma": 0.5}, "param_scheduler.1.gamma", 0.5),
    "an integer key": ({"param_scheduler": {1: {"gamma": 0.5}}}, "param_scheduler.1.gamma", 0.5),
    "a key of a filter": (
        {"train_dataloader.dataset.filter_cfg.min_size": 1},
        "train_dataloader.dataset.filter_cfg.min_size",
        1,
    ),
    "None as in --cfg-options": ({"model.backbone.init_cfg": "None"}, "model.backbone.init_cfg", None),
    "None": ({"model.backbone.init_cfg": None}, "model.backbone.init_cfg", None),
    "a new key with +": ({"+my_note": 3}, "my_note", 3),
    "a new deep key with +": ({"+model.test_cfg.rcnn.mine": 3}, "model.test_cfg.rcnn.mine", 3),
    "a new type and its own arguments, in any order": (
        {"optim_wrapper.optimizer.betas": [0.9, 0.99], "optim_wrapper.optimizer.type": "AdamW"},
        "optim_wrapper.optimizer.betas",
        (0.9, 0.99),
    ),
    "another section with _delete_": (
        {"optim_wrapper.optimizer": {"_delete_": True, "type": "AdamW", "lr": 1}},
        "optim_wrapper.optimizer",
        {"type": "AdamW", "lr": 1},
    ),
    "a dotted _delete_": (
        {
            "optim_wrapper.optimizer.lr": 1,
            "optim_wrapper.optimizer.type": "AdamW",
            "optim_wrapper.optimizer._delete_": True,
        },
        "optim_wrapper.optimizer",
        {"type": "AdamW", "lr": 1},
    ),
    "names of parameters keep their dots": (
        {"optim_wrapper.paramwise_cfg.custom_keys": {"backbone.layer1": {"lr_mult": 0.1}}},
        "optim_wrapper.paramwise_cfg.custom_keys",
        {"backbone.layer1": {"lr_mult": 0.1}},
    ),
    "transforms of albumentations": (
        {"train_dataloader.dataset.pipeline": [{"type": "Albu", "transforms": [{"type": "Blur", "p": 1}]}]},
        "train_dataloader.dataset.pipeline",
        [{"type": "Albu", "transforms": [{"type": "Blur", "p": 1}]}],
    ),
}


@pytest.mark.parametrize("name", SETTABLE)
def test_settable(name: str, config: dict[str, Any]) -> None:
    overrides, path, expected = SETTABLE[name]
    assert at(applied(config, **overrides), tuple(path.split("."))) == expected


def test_a_new_type_drops_what_it_can_not_take_and_says_so(config: dict[str, Any]) -> None:
    result, notes = override(config, {"optim_wrapper.optimizer.type": "AdamW"}, where)
    assert result["optim_wrapper"]["optimizer"] == {"type": "AdamW", "lr": 0.02, "weight_decay": 0.0001}
    assert notes == ("`optim_wrapper.optimizer.momentum` was dropped: AdamW has no such argument",)


def test_all_mistakes_at_once(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        override(config, {"a": 1, "model.b": 2, "param_scheduler.9.c": 3}, where)
    assert len(caught.value.problems) == 3


def test_merging_changes_neither_input_and_leaves_no_delete() -> None:
    base = {"a": {"b": [1], "c": 2}, "d": {"x": 1}}
    layer = {"a": {"_delete_": True, "e": {"_delete_": True, "f": 1}}, "d": {"y": [2]}}
    before = copy.deepcopy((base, layer))
    result = merged(base, layer)
    assert result == {"a": {"e": {"f": 1}}, "d": {"x": 1, "y": [2]}}
    result["d"]["y"].append(3)
    assert (base, layer) == before


def test_get_of_a_missing_path_is_none() -> None:
    assert get({"a": {"b": 1}}, "a.b") == 1
    assert get({"a": {"b": 1}}, "a.b.c") is None
