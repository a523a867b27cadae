"""What MMDetection's constructors say, as a message about the config."""

from __future__ import annotations

import pytest
from mmdet.models.layers import DetrTransformerEncoder
from mmdet.models.necks import FPN

from model_def.building import building
from model_def.errors import ConfigError


def test_a_missing_package_is_installed_and_no_argument_looked_up():
    with pytest.raises(ConfigError, match="fairscale") as caught, building("model"):
        DetrTransformerEncoder(num_layers=1, num_cp=1, layer_cfg={})
    assert caught.value.problems[0].next == "pip install fairscale"


def test_an_argument_that_does_not_suit_is_looked_up():
    with pytest.raises(ConfigError, match="got an unexpected keyword argument") as caught, building("model"):
        FPN(in_channels=[8], out_channels=8, num_outs=1, oops=2)
    assert caught.value.problems[0].next.startswith("look up this argument")
