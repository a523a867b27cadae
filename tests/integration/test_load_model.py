"""`load_model`: a checkpoint becomes the detector that `init_detector` makes with the run's config."""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import pytest
import torch
from mmdet.apis import inference_detector, init_detector

import model_def
from model_def.errors import ConfigError, UserError, WeightsError
from tests.cluster.fixtures import Cluster, cluster
from tests.support.place import Place

__all__ = ["cluster"]  # a fixture

UUID = "01234567-89ab-cdef-0123-456789abcdef"
BEST = "checkpoints/best"


def found(model: Any, place: Place) -> dict[str, list[Any]]:
    """All that the detector finds in an image, however unsure it is."""
    model.bbox_head.test_cfg.score_thr = 0.0
    instances = inference_detector(model, str(place.root / "data/val/000001.png")).pred_instances
    assert len(instances) > 0
    return {name: instances[name].tolist() for name in ("bboxes", "labels", "scores")}


@pytest.mark.parametrize("name", ["", BEST, f"{BEST}/model.pth", "apart", "apart/model.pth"])
def test_it_is_what_init_detector_makes(name: str, run: pathlib.Path, place: Place):
    """From a run's directory, a checkpoint in it, and one that was copied away from its config."""
    shutil.copytree((run / BEST).resolve(), run / "apart")
    theirs = init_detector(str(run / "config.py"), str(run / BEST / "model.pth"), palette="random", device="cpu")
    ours = model_def.load_model(run / name)
    assert found(ours, place) == found(theirs, place)
    assert ours.dataset_meta == theirs.dataset_meta
    assert ours.cfg.test_dataloader == theirs.cfg.test_dataloader
    assert not ours.training


def spoilt(run: pathlib.Path, **meta: Any) -> pathlib.Path:
    """The best weights with something else in their `meta`, in a file of their own."""
    content = torch.load(run / BEST / "model.pth", weights_only=True)
    torch.save(content | {"meta": meta}, run / "spoilt.pth")
    return run / "spoilt.pth"


def test_no_code_of_a_config_is_run(run: pathlib.Path):
    path = spoilt(run, cfg=f"import os\nos.mkdir({str(run / 'attacked')!r})\nmodel = dict(type='RetinaNet')")
    with pytest.raises(ConfigError, match="line 1 is no `name = value`"):
        model_def.load_model(path)
    assert not (run / "attacked").exists()


def test_what_is_no_checkpoint_of_ours(run: pathlib.Path):
    with pytest.raises(WeightsError, match="there is no trained model: 'nowhere'"):
        model_def.load_model("nowhere")
    with pytest.raises(WeightsError, match=r"can't be loaded.*\n.*\n.*\n.*next: +take .*model\.pth"):
        model_def.load_model(run / BEST / "state_dict.pth")
    with pytest.raises(WeightsError, match="doesn't say which model"):
        model_def.load_model(spoilt(run))
    with pytest.raises(ConfigError, match="my_own_parts"):
        model_def.load_model(spoilt(run, cfg="custom_imports = dict(imports=['my_own_parts'])"))


def test_a_device_that_is_not_there(run: pathlib.Path):
    with pytest.raises(UserError, match="no such device here: 'cuda:77'"):
        model_def.load_model(run, device="cuda:77")


@pytest.fixture
def user(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Somebody who has never logged in, with an empty cache."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return monkeypatch


def test_no_master(user: pytest.MonkeyPatch):
    user.setenv("DET_MASTER", "http://127.0.0.1:1")
    with pytest.raises(UserError, match=r"no Determined master answers: 'http://127\.0\.0\.1:1'\n.*DET_MASTER"):
        model_def.load_model(UUID)


def test_what_a_master_says(cluster: Cluster, user: pytest.MonkeyPatch, tmp_path: pathlib.Path):
    user.setenv("DET_MASTER", cluster.master.agent.url)
    with pytest.raises(WeightsError, match="the master knows no such checkpoint"):
        model_def.load_model(UUID)
    user.setenv("HOME", str(tmp_path / "another"))
    user.setenv("DET_USER", "somebody")
    user.setenv("DET_USER_TOKEN", "none of the master's")
    with pytest.raises(UserError, match="the master wants a login"):
        model_def.load_model(UUID)
    assert list((tmp_path / "cache/determined-mmdet/checkpoints").iterdir()) == []
