"""A checkpoint is plain data: what goes in comes out, and torch loads it without running any code."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from model_def.state.plain import plain, revive
from model_def.state.process import plain_numpy_state, rng_state, set_rng_state


def test_survives_a_weights_only_file(tmp_path):
    buffer = HistoryBuffer()
    buffer.update(1.5)
    buffer.update(2.5, count=2)
    value = {"scalars": {"loss": buffer}, "palette": np.arange(3), "lr": np.float64(0.1), "meta": (1, [None, "x"])}
    torch.save(plain(value, where="value"), tmp_path / "file.pth")
    back = revive(torch.load(tmp_path / "file.pth", weights_only=True))
    assert back["scalars"]["loss"].mean() == buffer.mean()
    assert [part.tolist() for part in back["scalars"]["loss"].data] == [part.tolist() for part in buffer.data]
    assert back["palette"].tolist() == [0, 1, 2]
    assert (back["lr"], back["meta"]) == (0.1, (1, [None, "x"]))


def test_names_what_it_cannot_hold():
    with pytest.raises(TypeError, match=r"message_hub\.info\.1.*object"):
        plain({"info": [1, object()]}, where="message_hub")


def test_random_numbers_go_on(tmp_path):
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()

    torch.save(rng_state(), tmp_path / "rng.pth")
    expected = draw()
    set_rng_state(torch.load(tmp_path / "rng.pth", weights_only=True))
    assert draw() == expected


def test_numpy_accepts_its_plain_state():
    state = np.random.get_state()
    expected = np.random.rand(3).tolist()
    np.random.set_state(plain_numpy_state(state))
    assert np.random.rand(3).tolist() == expected
