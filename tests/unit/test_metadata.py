"""What a checkpoint says of itself."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata

import pytest
from mmengine.config import Config

from model_def.compose.write import write_config
from model_def.environment import STACKS, stack
from model_def.metadata import describe
from model_def.storage.address import Address


def config_with(**datasets: dict) -> Config:
    return Config({f"{name}_dataloader": {"dataset": dataset} for name, dataset in datasets.items()})


@pytest.fixture
def said(tmp_path):
    """Of a config with one file that is there and one that is not."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train.json").write_text("{}")
    wrapped = {"dataset": {"data_root": "data", "ann_file": "train.json"}}
    config = config_with(train=wrapped, val={"ann_file": "data/missing.json"})
    write_config(config, tmp_path / "config.py")
    return describe(config, dataset_meta={"classes": ("cat", "dog")}, context=tmp_path)


def test_it_is_json(said):
    assert json.loads(json.dumps(said)) == said


def test_the_hash_is_that_of_config_py(said, tmp_path):
    assert said["config_sha256"] == hashlib.sha256((tmp_path / "config.py").read_bytes()).hexdigest()


def test_versions_classes_and_data(said):
    assert said["versions"]["torch"] == metadata.version("torch")
    assert said["versions"]["determined"] == "0.38.1"
    assert all(said["versions"].values()), "nothing is unknown"
    assert {"model_def", *STACKS[stack()]} < said["versions"].keys()
    assert said["classes"] == ["cat", "dog"]
    assert said["data"] == [
        {
            "loader": "train_dataloader",
            "file": "data/train.json",
            "bytes": 2,
            "sha256": hashlib.sha256(b"{}").hexdigest(),
        },
        {"loader": "val_dataloader", "file": "data/missing.json"},
    ]


def test_a_file_in_a_bucket_has_its_version(s3_bucket: Address, tmp_path):
    from mmengine.fileio import get_file_backend

    name = f"{s3_bucket}train.json"
    backend = get_file_backend(name, backend_args={"backend": "s3"}, enable_singleton=True)
    backend.put(b"{}", name)
    config = config_with(train={"ann_file": name, "backend_args": {"backend": "s3"}})
    [found] = describe(config, dataset_meta={}, context=tmp_path)["data"]
    assert found["bytes"] == 2
    version = found["version"]
    backend.put(b"[]", name)
    [found] = describe(config, dataset_meta={}, context=tmp_path)["data"]
    assert found["version"] != version
