"""`config.py` read back without running it."""

from __future__ import annotations

import os

import pytest
from mmengine.config import Config

from model_def.compose.read import read_values
from model_def.compose.write import config_text

VALUES = {
    "a": {"type": "X", "scale": (1333, 800), "list": [1, -2.5, None, True], "0.x": {"of": [{"type": "Y"}]}},
    "words": "it's \n a" * 40,
    "empty": [{}, (), []],
    "rate": 1e-08,
}


def test_what_we_and_mmengine_write_is_read_back_equal():
    config = Config(VALUES)
    for text in (config_text(config), config.pretty_text):
        found = read_values(text).to_dict()
        assert found == VALUES
        assert isinstance(found["a"]["scale"], tuple)


def test_the_order_of_keys_is_kept():
    config = Config({"b": {"z": 1, "a": 2}, "a": 1})
    assert list(read_values(config_text(config))["b"]) == ["z", "a"]


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "a = __import__('os').system('touch x')",
        "a = dict(b=open('x', 'w'))",
        "a = [{**{}}]",
        "a = dict([(1, 2)])",
        "a = b",
        "a.b = 1",
        "a = 'x' * 9",
        "def f(): pass",
    ],
)
def test_more_than_values_is_refused_and_not_run(text: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="line 1"):
        read_values(text)
    assert os.listdir(tmp_path) == []
