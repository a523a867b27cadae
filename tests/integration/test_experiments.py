"""Every shipped experiment: valid for the platform, assembled, built, and trained for two iterations on made data."""

from __future__ import annotations

import importlib.util
import json
import pathlib
from types import ModuleType

import pytest
import yaml

from model_def.compose import compose
from model_def.datasets import made
from model_def.experiment import load_experiment
from tests.support.commands import REPO, metrics, model_def
from tests.support.shrink import shrink

EXPERIMENTS = sorted((REPO / "experiments").rglob("*.yaml"))
SCHEMAS = REPO.parent / "shared/expconf/validate.py"
BATCH = 2


def name(path: pathlib.Path) -> str:
    return str(path.relative_to(REPO))


@pytest.fixture(scope="session")
def validator() -> ModuleType:
    if not SCHEMAS.exists():
        pytest.skip("Determined's own schemas are not beside this checkout (../shared/expconf)")
    spec = importlib.util.spec_from_file_location("validate", SCHEMAS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", EXPERIMENTS, ids=name)
def test_the_platform_accepts_it(path, validator):
    assert validator.problems(yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize("path", EXPERIMENTS, ids=name)
def test_it_begins_with_what_it_trains_and_the_command(path):
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert f"python -m model_def train {name(path)}" in "\n".join(header)
    assert "det experiment create" in "\n".join(header)


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """A context with made data at the places where the experiments expect theirs."""
    from mmdet.datasets import CocoDataset

    context = tmp_path_factory.mktemp("context")
    sizes = {"images": 2 * BATCH, "val_images": 2, "size": (96, 96)}
    coco = CocoDataset.METAINFO["classes"]
    made(context / "data/coco", **sizes, classes=coco, layout="coco")
    made(context / "data/quickstart", **sizes, classes=["tree"])
    made(context / "data/digits", **sizes, classes=list("0123456789"))
    return context


@pytest.mark.parametrize("path", EXPERIMENTS, ids=name)
def test_it_trains(path, context, tmp_path, monkeypatch):
    monkeypatch.chdir(context)
    size = f"global_batch_size={BATCH}"
    small = shrink(compose(load_experiment(path, [size]), slots=1).config.to_dict())
    length = ["train_cfg.max_epochs=1", "train_cfg.val_interval=1", "scheduling_unit=1"]
    assignments = [size, *length, *(f"{key}={json.dumps(value)}" for key, value in small.items())]
    output = tmp_path / "output"
    model_def("train", str(path), *assignments, "--output", str(output), cwd=context)
    lines = metrics(output / "metrics.jsonl")
    assert [line["steps_completed"] for line in lines if line["group"] == "training"] == [1, 2]
    assert yaml.safe_load(path.read_text())["searcher"]["metric"] in lines[-1]["metrics"]
    assert (output / "checkpoints/best/model.pth").exists()
