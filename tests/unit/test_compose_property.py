"""For random valid overrides the resolved config is the plain one with these values set; twice is as once."""

from __future__ import annotations

import copy
import functools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_def.compose import compose
from model_def.compose.require import DECIDED
from model_def.compose.tree import Path, at, dotted, walk
from model_def.experiment import experiment_from
from model_def.experiment_types import Experiment

ZOO = (
    "retinanet/retinanet_r18_fpn_1x_coco.py",
    "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
    "rtmdet/rtmdet_tiny_8xb32-300e_coco.py",
    "detr/detr_r50_8xb2-150e_coco.py",
)
# Neither what counts epochs (a change of it asks for `schedule`), nor what names a component, nor what is decided.
SECTIONS = ("model", "train_dataloader", "val_dataloader", "optim_wrapper", "default_hooks", "val_evaluator")
OTHERS = ("type", "custom_keys", "switch_epoch", "begin_epoch", "initial_epoch", "batch_size")


def experiment(name: str, **overrides: Any) -> Experiment:
    hyper = {"config_file": name, "global_batch_size": 2, "override_mmdet_config": overrides}
    return experiment_from({"searcher": {"name": "single", "metric": "bbox_mAP"}}, hyper)


@functools.cache
def plain(name: str) -> dict[str, Any]:
    return compose(experiment(name), slots=1).config.to_dict()


def values(old: Any) -> st.SearchStrategy[Any] | None:
    """Other values of the same kind, as YAML has them; None for what isn't a leaf."""
    if isinstance(old, bool):
        return st.booleans()
    if isinstance(old, int):
        return st.integers(1, 64)
    if isinstance(old, float):
        return st.floats(0.01, 10)
    if isinstance(old, str):
        return st.sampled_from(["a", "b/c.json", "1x", "None of it", "-"])
    if isinstance(old, list | tuple) and old and all(type(item) in (int, float) for item in old):
        return st.tuples(*(st.integers(1, 64) if type(item) is int else st.floats(0.01, 10) for item in old)).map(list)
    return None


@functools.cache
def leaves(name: str) -> tuple[Path, ...]:
    """The paths that an override may give another value of the same kind."""
    found = [(path, values(value)) for path, value in walk(plain(name)) if path and path[0] in SECTIONS]
    decided = {tuple(path.split(".")) for path in DECIDED}
    return tuple(
        path
        for path, other in found
        if other is not None
        and path not in decided
        and not {*OTHERS} & {*path}
        and isinstance(at(plain(name), path[:-1]), dict)
    )


@pytest.mark.parametrize("name", ZOO)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_any_valid_override_sets_that_value_and_nothing_else(name: str, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(leaves(name)), min_size=1, max_size=6, unique=True))
    given_values = {path: data.draw(values(at(plain(name), path)), label=dotted(path)) for path in chosen}
    expected = copy.deepcopy(plain(name))
    for path, value in given_values.items():
        at(expected, path[:-1])[path[-1]] = type(at(plain(name), path))(value)
    for loader in ("dataloader", "evaluator"):  # the test set is the validation set where it was so
        if plain(name)[f"test_{loader}"] == plain(name)[f"val_{loader}"]:
            expected[f"test_{loader}"] = expected[f"val_{loader}"]
    result = compose(experiment(name, **{dotted(path): value for path, value in given_values.items()}), slots=1)
    assert result.config.to_dict() == expected
    assert [type(item) for _, item in walk(result.config.to_dict())] == [type(item) for _, item in walk(expected)]


@pytest.mark.parametrize("name", ZOO[:2])
def test_assembling_twice_gives_the_same_text_and_changes_nothing(name: str) -> None:
    one = experiment(
        name,
        **{
            "train_dataloader.dataset.pipeline": [{"type": "RandomChoiceResize", "scales": [[64, 64], [96, 64]]}],
            "param_scheduler.-1": {"gamma": 0.5},
            "optim_wrapper.optimizer": {"_delete_": True, "type": "AdamW", "betas": [0.9, 0.99]},
        },
    )
    before = copy.deepcopy(one)
    first, second = compose(one, slots=1), compose(one, slots=1)
    assert first.config.pretty_text == second.config.pretty_text
    assert first.notes == second.notes
    assert one == before
