"""ImageNet backbones are found without the torchvision package."""

from __future__ import annotations

import importlib.util

import pytest
from mmengine.runner.checkpoint import CheckpointLoader

from model_def.weights.torchvision import address, register_without_torchvision


def test_the_address_of_a_backbone():
    assert address("torchvision://resnet50") == "https://download.pytorch.org/models/resnet50-0676ba61.pth"


def test_unknown_weights_are_an_error():
    with pytest.raises(FileNotFoundError, match="resnet5"):
        address("torchvision://resnet5")


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is installed: it is used")
def test_mmengine_asks_us():
    register_without_torchvision()
    loader = CheckpointLoader._get_checkpoint_loader("torchvision://resnet50")
    assert loader.__module__ == "model_def.weights.torchvision"
