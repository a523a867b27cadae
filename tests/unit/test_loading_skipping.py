"""`max_broken_images`: files that are no images are named and left out, up to a number; without it the first ends."""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import pytest
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from model_def.compose import compose
from model_def.data import data_errors
from model_def.errors import ConfigError, DataError
from model_def.experiment import load_experiment

CONFIG = "retinanet/retinanet_r18_fpn_1x_coco.py"


@pytest.fixture
def root(shapes_context: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A data set of which two training images are none."""
    shutil.copytree(shapes_context / "data/shapes", tmp_path / "shapes")
    for path in sorted((tmp_path / "shapes/train").iterdir())[:2]:
        path.write_bytes(b"<html>not found</html>")
    return tmp_path / "shapes"


def composed(root: pathlib.Path, write_yaml: Any, config: str = CONFIG, **more: Any) -> Any:
    files = {name: {"ann_file": f"{name}.json", "img_prefix": f"{name}/"} for name in ("train", "val")}
    hyperparameters = {"config_file": config, "global_batch_size": 2, "dataset": {"root": str(root), **files}, **more}
    content = {"hyperparameters": hyperparameters, "searcher": {"name": "single", "metric": "bbox_mAP"}}
    return compose(load_experiment(write_yaml(content)), slots=1).config


def samples(config: Any) -> list[str]:
    with DefaultScope.overwrite_default_scope("mmdet"):
        data = DATASETS.build(config.train_dataloader.dataset)
    return [data[index]["data_samples"].img_path for index in (*range(len(data)), 0)]


def test_some_are_named_and_left_out(root: Any, write_yaml: Any, tmp_path: pathlib.Path) -> None:
    MMLogger.get_instance(str(tmp_path), log_file=str(tmp_path / "log"))  # a run's: the current one
    config = composed(root, write_yaml, max_broken_images=2)
    taken = samples(config)
    broken = [str(path) for path in sorted((root / "train").iterdir())[:2]]
    assert len(taken) == 25
    assert not {*broken} & {*taken}
    said = (tmp_path / "log").read_text()
    assert [said.count(path) for path in broken] == [1, 1], "each is named once"
    assert "2 of at most 2 in this process" in said
    assert config.val_dataloader.dataset.pipeline[0].type == "LoadImageFromFile"
    assert "model_def.loading.skipping" in config.custom_imports.imports


@pytest.mark.parametrize("most", [0, 1])
def test_more_than_that_end_the_training(most: int, root: Any, write_yaml: Any) -> None:
    with pytest.raises(DataError, match="missing or broken") as caught, data_errors():
        samples(composed(root, write_yaml, max_broken_images=most))
    assert caught.value.problems[0].value == str(sorted((root / "train").iterdir())[most])


def test_a_missing_file_is_not_left_out(root: Any, write_yaml: Any) -> None:
    sorted((root / "train").iterdir())[0].unlink()
    with pytest.raises(FileNotFoundError):
        samples(composed(root, write_yaml, max_broken_images=5))


def test_where_nothing_loads_images_so_it_has_no_effect(root: Any, write_yaml: Any) -> None:
    pipeline = [{"type": "LoadImageFromNDArray"}, {"type": "PackDetInputs"}]
    overrides = {"train_dataloader.dataset.pipeline": pipeline}
    with pytest.raises(ConfigError, match="has no effect"):
        composed(root, write_yaml, max_broken_images=5, override_mmdet_config=overrides)
