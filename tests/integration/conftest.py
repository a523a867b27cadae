"""Fixtures of several integration tests."""

from __future__ import annotations

import gc
import pathlib
import shutil

import pytest

from tests.support.commands import yaml_writer
from tests.support.place import Place, build, copied


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The files that each `place` begins with."""
    return build(tmp_path_factory.mktemp("original"))


@pytest.fixture
def place(
    original: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Place:
    """A copy of the files as the current directory, and an empty cache."""
    gc.freeze()  # mmengine collects garbage for each data set, and all that mmdet imports is looked through
    root = copied(original, tmp_path / "context")
    monkeypatch.chdir(root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Place(root=root, capture=capsys)


@pytest.fixture(scope="session")
def trained(original: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An output directory of the experiment."""
    from model_def.experiment import load_experiment
    from model_def.train import train

    root = copied(original, tmp_path_factory.mktemp("trained") / "context")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return train(load_experiment(pathlib.Path("tiny.yaml")), output=root / "run").output


@pytest.fixture
def run(place: Place, trained: pathlib.Path) -> pathlib.Path:
    """That output directory, as `run/` in the place."""
    return pathlib.Path(shutil.copytree(trained, place.root / "run", symlinks=True))


@pytest.fixture(scope="session")
def retinanet(shapes_context: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The YAML of a RetinaNet in small: 18 batches in three epochs, on the data of `shapes_context`."""
    from tests.integration.test_parity import small_experiment

    write = yaml_writer(tmp_path_factory.mktemp("retinanet"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shapes_context)
        return small_experiment("retinanet/retinanet_r18_fpn_1x_coco.py", write)
