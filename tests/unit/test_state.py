"""A checkpoint is plain data: what goes in comes out, and torch loads it without running any code."""

from __future__ import annotations

import collections
import random
import types

import numpy as np
import pytest
import torch
from mmengine.hooks import EarlyStoppingHook, SyncBuffersHook
from mmengine.logging import HistoryBuffer
from mmengine.optim import OptimWrapper

from model_def.evaluate.exact import RoundedMetric
from model_def.rng import rng_state, set_rng_state
from model_def.state.attributes import Attributes
from model_def.state.hooks import hook_states, restore_hooks
from model_def.state.plain import plain, revive
from model_def.state.process import ProcessState, plain_numpy_state


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
        return random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(1).item()

    draw()  # leaves half a pair of gaussians behind
    torch.save(plain(rng_state(), where="rng"), tmp_path / "rng.pth")
    expected = draw()
    set_rng_state(torch.load(tmp_path / "rng.pth", weights_only=True))
    assert draw() == expected


def test_numpy_accepts_its_plain_state():
    state = np.random.get_state()
    expected = np.random.rand(3).tolist()
    np.random.set_state(plain_numpy_state(state))
    assert np.random.rand(3).tolist() == expected


def test_attributes_that_training_changes_come_back(tmp_path):
    """The size of BatchSyncRandomResize, Dynamic R-CNN's histories and thresholds, EQLv2's counts."""

    class Assigner:
        def __init__(self):
            self.threshold = 0.5

    class Head(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.size, self.history, self.counts = None, [], None
            self.assigners = [Assigner()]
            self.recent = collections.deque(maxlen=3)
            self.never = object()

    def build():
        return torch.nn.Sequential(Head(), torch.nn.Linear(2, 2))

    model, other = build(), build()
    before = Attributes(model)
    assert before.changed() == {}
    model[0].size, model[0].counts = (64, 96), torch.arange(3)
    model[0].history.append(1.5)
    model[0].recent.extend(range(5))
    model[0].assigners[0].threshold = 0.75
    torch.save(before.changed(), tmp_path / "attributes.pth")
    Attributes(other).set(torch.load(tmp_path / "attributes.pth", weights_only=True))
    head = other[0]
    assert (head.size, head.history, head.recent) == ((64, 96), [1.5], collections.deque([2, 3, 4], maxlen=3))
    assert head.counts.tolist() == [0, 1, 2]
    assert head.assigners[0].threshold == 0.75


def test_hooks_remember():
    """An early stopping goes on waiting; buffers that were made equal after an epoch are not made so once more."""

    class Runner:
        def __init__(self):
            self.hooks = [EarlyStoppingHook("coco/bbox_mAP", patience=3), SyncBuffersHook()]

    runner, other = Runner(), Runner()
    runner.hooks[0]._check_stop_condition(RoundedMetric(0.5, exact=0.5001))
    runner.hooks[0]._check_stop_condition(RoundedMetric(0.4, exact=0.4001))
    runner.hooks[1].called_in_train = True  # as it notes with several processes
    restore_hooks(other, revive(plain(hook_states(runner), where="hooks")))
    assert (other.hooks[0].wait_count, other.hooks[0].best_score) == (1, 0.5)
    assert type(other.hooks[0].best_score) is float, "a file can't hold a class of ours"
    assert other.hooks[1].called_in_train


def test_a_process_is_kept_as_it_was():
    """A validation may change buffers, and be left."""
    model = torch.nn.BatchNorm1d(1)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    loop = types.SimpleNamespace(stop_training=False)
    runner = types.SimpleNamespace(model=model, hooks=[], optim_wrapper=wrapper, train_loop=loop)
    process = ProcessState(runner)
    before = process.capture()
    model.running_mean += 1
    process.restore(before)
    assert model.running_mean.tolist() == [0]
