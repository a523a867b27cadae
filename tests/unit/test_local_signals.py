"""Signals off a cluster: they ask this process for a stop, and end its children as they would any process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest
from determined import core

from model_def.platform.signals import LocalPreemptContext


@pytest.fixture
def preempt():
    context = LocalPreemptContext(core.DummyDistributedContext()).start()
    yield context
    context.close()


def test_a_signal_asks_for_a_stop_once(preempt):
    assert not preempt.pending()
    os.kill(os.getpid(), signal.SIGTERM)
    assert preempt.pending()
    assert preempt.signal_number == signal.SIGTERM


def test_a_forked_child_ends(preempt):
    """mmdet's VOC and Open Images evaluators start pools, end their workers with SIGTERM, and wait for them."""
    children = [multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,)) for _ in range(20)]
    for child in children:
        child.start()
        child.terminate()  # at once: while it still begins
    for child in children:
        child.join(5)
    assert [child.exitcode for child in children] == [-signal.SIGTERM] * len(children)
    assert not preempt.pending()
