"""What `check` says of the weights that training would start from."""

import pytest
import torch
from mmengine.config import Config
from torch import nn

from model_def.errors import WeightsError
from model_def.experiment import load_experiment
from model_def.weights import without_downloads
from model_def.weights.compare import compared


@pytest.fixture
def told(tmp_path, monkeypatch, write_yaml):
    """What is said of a config with these parts."""
    monkeypatch.chdir(tmp_path)
    hyperparameters = {"config_file": "retinanet/retinanet_r18_fpn_1x_coco.py", "global_batch_size": 2}
    content = {"entrypoint": "x", "hyperparameters": hyperparameters, "searcher": {"name": "single", "metric": "loss"}}
    experiment = load_experiment(write_yaml(content))

    def tell(init=None, load_from=None):
        model = {"backbone": {"init_cfg": {"type": "Pretrained", "checkpoint": init} if init else None}}
        return compared(experiment, Config({"model": model, "load_from": load_from}), lambda: nn.Linear(2, 3))

    return tell


def test_what_is_elsewhere_is_named_and_not_downloaded(told):
    assert told() == "the model's own initialisation"
    assert told(init="torchvision://resnet50") == "torchvision://resnet50 (not downloaded)"
    assert told(load_from="https://nowhere/w.pth") == "https://nowhere/w.pth (not downloaded)"


def test_a_file_is_compared_with_the_model(told, tmp_path):
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "w.pth")
    assert told(init="w.pth") == "w.pth"
    assert told(load_from="w.pth") == "w.pth: 100.0% of the parameters load, 2 of 2 tensors"
    torch.save(nn.Linear(5, 7).state_dict(), tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"another model's: 0\.0%"):
        told(load_from="other.pth")


@pytest.mark.parametrize(
    ("wanted", "where", "next_step"),
    [
        ({"init": "nothing.pth"}, "model.backbone.init_cfg.checkpoint", "model.backbone.init_cfg=None to start from"),
        ({"init": "experiment.yaml"}, "model.backbone.init_cfg.checkpoint", "init_cfg.checkpoint=path/to/weights.pth"),
        ({"load_from": "nothing.pth"}, "load_from", "load_from=None to start from random weights"),
    ],
)
def test_a_file_that_training_could_not_read(told, wanted, where, next_step):
    with pytest.raises(WeightsError, match="the initial weights can't be loaded") as error:
        told(**wanted)
    problem = error.value.problems[0]
    assert (problem.value, problem.where) == (next(iter(wanted.values())), where)
    assert next_step in problem.next


def test_a_look_needs_nothing_from_the_network():
    backbone = {"type": "TIMMBackbone", "pretrained": True}
    neck = {"init_cfg": {"type": "Pretrained", "checkpoint": "torchvision://resnet50"}}
    offline = without_downloads(Config({"model": {"backbone": backbone, "neck": neck}, "load_from": "https://a/b.pth"}))
    assert offline.model.backbone.pretrained is False
    assert offline.model.neck.init_cfg is None
    assert offline.load_from is None
