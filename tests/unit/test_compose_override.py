"""Overrides: what they may set, and what is said about a path that leads nowhere."""

from __future__ import annotations

import copy
import pathlib
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_def.compose.find import zoo
from model_def.compose.load import load_config
from model_def.compose.override import override
from model_def.compose.tree import at, get, merged, walk
from model_def.errors import ConfigError


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


MISTAKES = {
    "a misspelled leaf": (
        {"optim_wrapper.optimizer.lrr": 1},
        "`optim_wrapper.optimizer.lrr` does not exist",
        "`optim_wrapper.optimizer.lr`",
    ),
    "a misspelled section": ({"optim_wraper.optimizer.lr": 1}, "does not exist", "`optim_wrapper`"),
    "a misspelled argument": ({"model.neck.num_out": 1}, "FPN has no such argument", "`model.neck.num_outs`"),
    "an argument of another part": (
        {"model.roi_head.num_classes": 1},
        "does not exist",
        "`model.roi_head.bbox_head.num_classes`",
    ),
    "a part of mmdet 2": ({"optimizer.lr": 1}, "does not exist", "`optim_wrapper"),
    "an unknown key of a free section": ({"model.test_cfg.rcnn.score_thresh": 1}, "does not exist", "score_thr`"),
    "an unknown gradient clip": ({"optim_wrapper.clip_grad.max_nrm": 1}, "does not exist", "max_norm`"),
    "nothing near": ({"model.neck.qqqqqq": 1}, "does not exist", r"write `\+model.neck.qqqqqq`"),
    "below a value": ({"model.backbone.depth.x": 1}, r"is a value \(50\)", "model.backbone.depth: …"),
    "beyond a list": ({"param_scheduler.2.gamma": 1}, "is a list of 2", "0 to 1"),
    "not an index": ({"param_scheduler.gamma": 1}, "is a list of 2", "0 to 1"),
    "an inert pipeline": (
        {"train_pipeline": []},
        "`train_pipeline` has no effect",
        "`train_dataloader.dataset.pipeline`",
    ),
    "an inert item of a pipeline": (
        {"train_pipeline.2.scale": [1, 2]},
        "has no effect",
        "`train_dataloader.dataset.pipeline`",
    ),
    "an inert data root": ({"data_root": "x"}, "has no effect", "`train_dataloader.dataset.data_root`"),
    "twice": ({"model.neck.num_outs": 1, "model": {"neck": {"num_outs": 2}}}, "is set twice", "remove one"),
    "an unknown type": ({"model.backbone.type": "ResNett"}, "nothing is registered", "`ResNet`"),
    "an unknown hook": ({"custom_hooks": [{"type": "EMAHok"}]}, r"`custom_hooks.0.type`", "`EMAHook`"),
    "an unknown transform": (
        {"train_dataloader.dataset.pipeline": [{"type": "RandomFlp"}]},
        "pipeline.0.type`",
        "`RandomFlip`",
    ),
    "an unknown argument of a new component": (
        {"train_dataloader.dataset.pipeline": [{"type": "Resize", "scal": [1, 2]}]},
        "pipeline.0.scal` is not an argument of Resize",
        "`scale`",
    ),
    "an old argument for a new type": (
        {"optim_wrapper.optimizer.type": "AdamW", "optim_wrapper.optimizer.momentum": 0.9},
        "momentum` is not an argument of AdamW",
        "remove",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, config: dict[str, Any]) -> None:
    overrides, what, suggestion = MISTAKES[name]
    with pytest.raises(ConfigError) as caught:
        override(config, overrides, where)
    (problem,) = caught.value.problems
    assert re.search(what, problem.what), str(problem)
    assert re.search(suggestion, f"{problem.next} {problem.allowed}"), str(problem)
    assert problem.where.startswith("e.yaml:9:5")
    assert problem.allowed


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


RETINANET = zoo_config("retinanet/retinanet_r18_fpn_1x_coco.py")
SCALARS = [
    path
    for path, value in walk(RETINANET)
    if path and path[0] in ("model", "optim_wrapper", "train_dataloader") and isinstance(value, float | bool)
]


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(SCALARS), st.floats(0.01, 10), min_size=1, max_size=5))
def test_any_valid_override_sets_that_value_and_nothing_else(chosen: dict[Any, float]) -> None:
    expected = copy.deepcopy(RETINANET)
    for path, value in chosen.items():
        parent = at(expected, path[:-1])
        parent[path[-1]] = value
    assert applied(RETINANET, **{".".join(map(str, path)): value for path, value in chosen.items()}) == expected


def test_get_of_a_missing_path_is_none() -> None:
    assert get({"a": {"b": 1}}, "a.b") == 1
    assert get({"a": {"b": 1}}, "a.b.c") is None
