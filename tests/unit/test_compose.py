"""The whole composition: order of the layers, derived values, and the written file."""

from __future__ import annotations

import copy
import pathlib
import sys
from typing import Any

import pytest
import torch
from mmengine.config import Config

from model_def.compose import Composed, compose, write_config
from model_def.compose.tree import get
from model_def.errors import ConfigError, ExperimentError, OutputError
from model_def.experiment import experiment_from
from model_def.experiment_types import Experiment
from model_def.zoo import zoo_names

RETINANET = "retinanet/retinanet_r18_fpn_1x_coco.py"
# Zoo configs of mmdet 3.3.0 that don't load: a `_base_` that isn't shipped, or a package that isn't installed.
# The last: stock mmengine can not build that loop either.
NOT_LOADABLE = (
    *("a `_base_` of the config is missing", "can't be imported", "doesn't train"),
    "`train_cfg.by_epoch` is not an argument of EpochBasedTrainLoop",
    "mmcv's synchronised batch norm needs GPUs and several processes",
)


def experiment(config_file: str = RETINANET, *, searcher: dict[str, Any] | None = None, **hyper: Any) -> Experiment:
    config = {
        "name": "trees",
        "searcher": {"name": "single", "metric": "bbox_mAP", **(searcher or {})},
        "reproducibility": {"experiment_seed": 7},
    }
    return experiment_from(config, {"config_file": config_file, "global_batch_size": 4, **hyper})


def composed(*args: Any, slots: int = 1, **hyper: Any) -> dict[str, Any]:
    return compose(experiment(*args, **hyper), slots=slots).config.to_dict()


# --- layers


def test_later_layers_win(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "first.py").write_text("model = dict(neck=dict(out_channels=64, num_outs=4))\n")
    (tmp_path / "second.py").write_text(
        "model = dict(neck=dict(num_outs=3))\noptim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW'))\n"
    )
    monkeypatch.chdir(tmp_path)
    config = composed(merge_config=["first.py", "second"], override_mmdet_config={"optim_wrapper.optimizer.lr": 0.1})
    assert (config["model"]["neck"]["out_channels"], config["model"]["neck"]["num_outs"]) == (64, 3)
    assert config["optim_wrapper"]["optimizer"] == {"type": "AdamW", "lr": 0.1}
    assert "_delete_" not in str(config)


def test_a_missing_merge_config_names_its_key() -> None:
    with pytest.raises(ConfigError, match="merge_config"):
        composed(merge_config=["no_such.py"])


def test_twice_the_same_and_inputs_stay(trees: dict[str, Any]) -> None:
    one = experiment(
        dataset=trees,
        override_mmdet_config={"train_cfg": {"max_epochs": 3}, "custom_hooks": [{"type": "EMAHook"}]},
        schedule="rescale",
    )
    before = copy.deepcopy(one)
    first, second = compose(one, slots=2), compose(one, slots=2)
    assert first.config.pretty_text == second.config.pretty_text
    first.config.model.neck.num_outs = 99
    assert second.config.model.neck.num_outs == 5
    assert one == before


# --- derived values


def test_seed_scope_work_dir() -> None:
    config = composed(override_mmdet_config={"randomness.deterministic": True})
    assert config["randomness"] == {"seed": 7, "deterministic": True}
    assert config["default_scope"] == "mmdet"
    assert config["work_dir"]


@pytest.mark.parametrize(("size", "slots", "allowed"), [(3, 2, "2 or 4"), (1, 2, ": 2"), (10, 4, "8 or 12")])
def test_batch_sizes_that_do_not_divide(size: int, slots: int, allowed: str) -> None:
    with pytest.raises(ConfigError, match=f"over {slots} slots") as caught:
        composed(global_batch_size=size, slots=slots)
    (problem,) = caught.value.problems
    assert problem.value == size
    assert allowed in problem.allowed
    assert "global_batch_size" in problem.where


def test_batch_size_is_divided_also_in_a_sampler() -> None:
    assert composed(global_batch_size=8, slots=2)["train_dataloader"]["batch_size"] == 4
    semi = composed(
        "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py", global_batch_size=10, slots=2
    )
    assert semi["train_dataloader"]["batch_size"] == 5
    assert semi["train_dataloader"]["sampler"]["batch_size"] == 5


def test_max_length_is_translated_and_has_no_rival() -> None:
    length = {"max_length": {"epochs": 3}}
    result = compose(experiment(searcher=length), slots=1)
    assert result.config.train_cfg.max_epochs == 3
    assert "train_cfg.max_epochs: 3" in result.notes[0]
    with pytest.raises(ExperimentError, match=r"`searcher.max_length` has no effect beside `train_cfg.max_epochs=5`"):
        experiment(searcher=length, override_mmdet_config={"train_cfg.max_epochs": 5})


def test_max_length_in_the_wrong_unit() -> None:
    with pytest.raises(ConfigError, match="trains by epochs") as caught:
        composed(searcher={"max_length": {"batches": 3}})
    assert "train_cfg.max_epochs" in caught.value.problems[0].next


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_mixed_precision_needs_a_gpu_and_the_advice_works() -> None:
    amp = "yolo/yolov3_d53_8xb8-amp-ms-608-273e_coco.py"
    with pytest.raises(ConfigError, match="needs a GPU") as caught:
        composed(amp)
    key, _, value = caught.value.problems[0].next.partition("=")
    result = compose(experiment(amp, override_mmdet_config={key: value}), slots=1)
    assert result.config.optim_wrapper.type == "OptimWrapper"
    assert "`optim_wrapper.loss_scale` was dropped" in result.notes[0]


def test_a_config_that_does_not_train() -> None:
    with pytest.raises(ConfigError, match="doesn't train") as caught:
        composed("retinanet/retinanet_tta.py")
    assert "train_dataloader" in caught.value.problems[0].what


def test_a_test_dataloader_is_always_there(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no_test.py").write_text("test_dataloader = None\ntest_evaluator = None\ntest_cfg = None\n")
    monkeypatch.chdir(tmp_path)
    config = composed(merge_config="no_test.py", override_mmdet_config={"val_dataloader.num_workers": 1})
    assert config["test_dataloader"] == config["val_dataloader"]
    assert config["test_evaluator"] == config["val_evaluator"]
    assert config["test_cfg"] == {"type": "TestLoop"}


@pytest.mark.parametrize(
    ("path", "field"),
    [("train_dataloader.batch_size", "global_batch_size"), ("randomness.seed", "experiment_seed")],
)
def test_what_the_experiment_decides_is_not_overridden(path: str, field: str) -> None:
    with pytest.raises(ConfigError, match="can't be overridden") as caught:
        composed(override_mmdet_config={path: 3})
    assert field in caught.value.problems[0].next


def test_no_slots_are_one_cpu() -> None:
    assert composed(slots=0)["train_dataloader"]["batch_size"] == 4


def test_components_of_the_context(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flips_of_this_test.py").write_text(
        "from mmdet.registry import TRANSFORMS\n\n\n@TRANSFORMS.register_module()\nclass Sideways:\n"
        "    def __init__(self, sides: tuple = (1,)) -> None:\n        self.sides = sides\n"
    )
    overrides = {
        "train_dataloader.dataset.pipeline": [{"type": "Sideways", "sides": [1, 2]}],
        "custom_imports.imports": ["flips_of_this_test"],
    }
    config = composed(override_mmdet_config=overrides)
    assert config["train_dataloader"]["dataset"]["pipeline"] == [{"type": "Sideways", "sides": (1, 2)}]
    with pytest.raises(ConfigError, match="no_such_module_anywhere"):
        composed(override_mmdet_config={"custom_imports.imports": ["no_such_module_anywhere"]})
    with pytest.raises(ConfigError, match="nothing is registered"):
        composed(override_mmdet_config={**overrides, "train_dataloader.dataset.pipeline": [{"type": "Sideway"}]})


# --- the written file and the zoo


def zoo_sample() -> list[str]:
    return [name for index, name in enumerate(zoo_names()) if index % 10 == 3]


@pytest.mark.parametrize("name", zoo_sample())
def test_a_sample_of_the_zoo_composes(name: str) -> None:
    try:
        result = compose(experiment(name, override_mmdet_config={"optim_wrapper.type": "OptimWrapper"}), slots=1)
    except ConfigError as error:
        if not any(reason in str(error) for reason in NOT_LOADABLE):
            raise
        return
    assert result.config.train_dataloader.batch_size == 4
    assert get(result.config.to_dict(), "randomness.seed") == 7


def test_written_config_loads_back_equal(tmp_path: pathlib.Path, trees: dict[str, Any]) -> None:
    result: Composed = compose(experiment("rtmdet/rtmdet_tiny_8xb32-300e_coco.py", dataset=trees), slots=1)
    write_config(result.config, tmp_path / "config.py")
    again = Config.fromfile(tmp_path / "config.py")
    assert again.to_dict() == result.config.to_dict()
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_what_python_can_not_say_is_refused_and_nothing_is_written(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    result = compose(experiment(override_mmdet_config={"optim_wrapper.optimizer.lr": float("inf")}), slots=1)
    with pytest.raises(ConfigError, match="can't be written"):
        write_config(result.config, folder / "config.py")
    assert list(folder.iterdir()) == []


def test_a_directory_that_is_missing(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OutputError, match="can't be written"):
        write_config(compose(experiment(), slots=1).config, tmp_path / "nowhere" / "config.py")
