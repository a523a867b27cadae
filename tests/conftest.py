"""Fixtures that many tests share."""

from __future__ import annotations

import pathlib
from types import ModuleType

import pytest

from model_def.datasets import made
from tests.cluster import config
from tests.support.commands import yaml_writer
from tests.support.servers.fixtures import (
    faulty_backend_args,
    gcs,
    gcs_bucket,
    gcs_buckets,
    s3,
    s3_bucket,
    s3_buckets,
)

__all__ = ["faulty_backend_args", "gcs", "gcs_bucket", "gcs_buckets", "s3", "s3_bucket", "s3_buckets"]  # fixtures


@pytest.fixture(scope="session")
def coco_context(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A context directory with a small made COCO in data/coco, as the shipped experiments expect it."""
    from mmdet.datasets import CocoDataset

    context = tmp_path_factory.mktemp("context")
    classes = CocoDataset.METAINFO["classes"]
    made(context / "data/coco", images=24, val_images=6, size=(96, 96), classes=classes, layout="coco")
    return context


@pytest.fixture(scope="session")
def shapes_context(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A context directory with 24 + 6 pictures of two shapes in data/shapes."""
    context = tmp_path_factory.mktemp("shapes")
    made(context / "data/shapes", images=24, val_images=6, size=(96, 96))
    return context


@pytest.fixture(scope="session")
def validator() -> ModuleType:
    """Determined's own check of an experiment: `validator.problems(content)` says what a master would refuse."""
    module = config.validator()
    if module is None:
        pytest.skip("Determined's own schemas are not beside this checkout (../shared/expconf)")
    return module


@pytest.fixture
def write_yaml(tmp_path: pathlib.Path):
    """Writes a dict as an experiment YAML and returns its path."""
    return yaml_writer(tmp_path)
