"""The processes of a search's trials, without Ray: they ask after each validation, stop, and go on exactly."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import sys

import pytest

from model_def.searching.process import Task, TrialProcesses
from tests.support.commands import ENVIRONMENT
from tests.support.trainings import run, same_run

KILLED = """
import pathlib, sys, time
from model_def.searching.process import Task, TrialProcesses
trial = TrialProcesses(Task(file=pathlib.Path(sys.argv[1]), assignments=(), directory=pathlib.Path.cwd(),
                            output=pathlib.Path(sys.argv[2])))
while trial.news(1.0).get("event") != "validation":
    pass
trial.news(0)
print("goes on", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def whole(retinanet, shapes_context, tmp_path_factory) -> pathlib.Path:
    """What `train` makes of it."""
    output = tmp_path_factory.mktemp("whole") / "run"
    run(retinanet, output, cwd=shapes_context)
    return output


def trained(task: Task, *, until: int = 99) -> list[int]:
    """Train until so many batches are validated; the batches of each validation."""
    trial, seen = TrialProcesses(task), list[int]()
    try:
        while (news := trial.news(1.0)).get("event") != "end":
            seen += [news["batches"]] if news else []
            if seen and seen[-1] >= until:
                return seen
        assert news["status"] == "done", news
        return seen
    finally:
        trial.stop()


def test_a_trial_is_stopped_after_a_validation_and_goes_on(retinanet, whole, shapes_context, tmp_path):
    task = Task(file=retinanet, assignments=(), directory=shapes_context, output=tmp_path / "001")
    assert trained(task, until=6) == [6]
    assert (task.output / "checkpoints/latest").resolve().name == "6", "not one batch more, and saved"
    assert trained(task) == [12, 18]
    same_run(task.output, whole)


def test_a_trial_saves_when_the_search_is_killed(retinanet, whole, shapes_context, tmp_path):
    output = tmp_path / "001"
    search = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(retinanet), str(output)],
        cwd=shapes_context,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
    )
    assert search.stdout
    assert search.stdout.readline() == b"goes on\n"
    search.send_signal(signal.SIGKILL)
    search.wait()
    # The next one waits for the lock of the first, which is still saving.
    assert trained(Task(file=retinanet, assignments=(), directory=shapes_context, output=output))[-1] == 18
    same_run(output, whole)


def test_a_mistake_is_told(retinanet, shapes_context, tmp_path):
    wrong = ("train_dataloader.dataset.ann_file=none.json",)
    trial = TrialProcesses(Task(file=retinanet, assignments=wrong, directory=shapes_context, output=tmp_path / "001"))
    while not (news := trial.news(1.0)):
        pass
    trial.stop()
    assert news["mistake"]
    assert "none.json" in news["message"]
