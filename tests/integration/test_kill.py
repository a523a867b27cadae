"""Runs that are killed again and again, at any moment, end as the run that was never killed.

`make soak` kills a hundred times.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import shutil
import signal
import time
from typing import Any

import pytest
import torch

from tests.support.trainings import Stop, run, same_run, start

KILLS = int(os.environ.get("KILLS", "20"))
OFTEN = ("min_checkpoint_period.batches=2", "train_dataloader.num_workers=1")
# A signal may come before the handlers are there (the process ends by it), or when all is done.
CODES = {-signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM, 0}


@pytest.fixture(scope="module")
def whole(retinanet, shapes_context, tmp_path_factory) -> pathlib.Path:
    output = tmp_path_factory.mktemp("whole") / "run"
    run(retinanet, output, *OFTEN, cwd=shapes_context)
    return output


@pytest.mark.parametrize("turn", range(KILLS // 5))
def test_a_run_that_is_killed_five_times(turn, retinanet, whole, shapes_context, tmp_path):
    chance, output = random.Random(turn), tmp_path / "run"
    for _ in range(5):
        code = killed(chance, retinanet, output, shapes_context)
        assert code in CODES, output.with_name("run.log").read_text()
        all_whole(output)
    run(retinanet, output, *OFTEN, cwd=shapes_context, resume=(output / "checkpoints/latest").exists())
    same_run(output, whole)
    assert not list((output / "checkpoints").glob(".*")), "what was left half is gone"


def killed(chance: random.Random, retinanet: pathlib.Path, output: pathlib.Path, cwd: pathlib.Path) -> int | None:
    """Start or resume, and send a signal: inside the writing of a checkpoint, or somewhen after some batches."""
    resume = (output / "checkpoints/latest").exists()
    if not resume:
        shutil.rmtree(output, ignore_errors=True)
    number = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
    done = batches(output)
    wanted = done + chance.randint(0, 3)
    writing = Stop(batch=wanted, writing=chance.uniform(0, 0.05), number=number) if chance.random() < 0.4 else None
    log = output.with_name("run.log")
    (process,) = start(retinanet, output, *OFTEN, cwd=cwd, resume=resume, stop=writing, log=log)
    if writing is None:
        wait_for(lambda: batches(output) >= wanted, process)
        time.sleep(chance.uniform(0, 0.3))
        if process.is_alive():
            os.kill(process.pid, number)
    process.join(120)
    return process.exitcode


def wait_for(condition: Any, process: Any) -> None:
    while process.is_alive() and not condition():
        time.sleep(0.005)


def batches(output: pathlib.Path) -> int:
    """How many batches have been reported."""
    metrics = output / "metrics.jsonl"
    return metrics.read_text().count('"training"') if metrics.exists() else 0


def all_whole(output: pathlib.Path) -> None:
    """What has a checkpoint's name is one."""
    for checkpoint in (output / "checkpoints").glob("[0-9]*"):
        state = torch.load(checkpoint / "state_dict.pth", weights_only=True)
        torch.load(checkpoint / "model.pth", weights_only=True)
        steps = json.loads((checkpoint / "metadata.json").read_text())["steps_completed"]
        assert state["callbacks"]["mmengine"]["runner"]["meta"]["iter"] == steps == int(checkpoint.name)
