"""The run directory keeps the metrics, and the right checkpoints under the right names."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from model_def.platform.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path, metric="bbox_mAP", smaller_is_better=False)


def save(run, steps, content="weights"):
    with run.new_checkpoint(steps) as path:
        (path / "model.pth").write_text(content)


def validate(run, steps, value):
    run.record(group="validation", steps_completed=steps, metrics={"bbox_mAP": value, "batches": steps, "epochs": 1})
    run.tidy()


def saved(run):
    return sorted(path.name for path in (run.path / "checkpoints").iterdir())


def test_keeps_the_best_and_the_latest(run):
    for steps, value in ((10, 0.1), (20, 0.5), (30, 0.3), (40, 0.2)):
        validate(run, steps, value)
        save(run, steps)
    assert saved(run) == ["20", "40", "best", "latest"]
    assert (run.path / "checkpoints/best").resolve().name == "20"
    assert (run.path / "checkpoints/latest").resolve().name == "40"
    assert run.best() == (0.5, 20)


def test_smaller_may_be_better(tmp_path):
    run = RunDirectory(tmp_path, metric="bbox_mAP", smaller_is_better=True)
    for steps, value in ((10, 0.5), (20, 0.1)):
        validate(run, steps, value)
        save(run, steps)
    assert run.best() == (0.1, 20)


def test_of_two_equal_ones_the_earlier_is_best(run):
    validate(run, 10, 0.5)
    validate(run, 20, 0.5)
    assert run.best() == (0.5, 10)


def test_a_validation_after_the_checkpoint_makes_it_the_best(run):
    save(run, 10)
    validate(run, 10, 0.5)
    assert (run.path / "checkpoints/best").resolve().name == "10"


def test_a_checkpoint_that_fails_leaves_nothing(run):
    save(run, 10)

    def fail():
        with run.new_checkpoint(20) as path:
            (path / "model.pth").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert saved(run) == ["10", "latest"]


def test_a_checkpoint_is_not_seen_before_it_is_whole(run):
    with run.new_checkpoint(20):
        assert not run.checkpoint(20).exists()
    assert run.checkpoint(20).exists()


def test_a_checkpoint_may_be_written_again(run):
    save(run, 10, "old")
    save(run, 10, "new")
    assert (run.checkpoint(10) / "model.pth").read_text() == "new"


def test_what_a_killed_process_left_is_removed(run):
    """It was writing 30, removing 10 and replacing 20, in each case half done."""
    save(run, 20)
    for name in (".30.0123abcd", ".10.removed", ".20.replaced"):
        (run.path / "checkpoints" / name).mkdir()
    run.recover()
    assert saved(run) == ["20", "latest"]


def test_a_checkpoint_that_was_being_replaced_comes_back(run):
    save(run, 20, "old")
    run.checkpoint(20).rename(run.path / "checkpoints/.20.replaced")
    run.recover()
    assert (run.path / "checkpoints/latest/model.pth").read_text() == "old"


def test_numbers_keep_their_digits_and_json_stays_valid(run):
    run.record(group="training", steps_completed=1, metrics={"loss": 0.1 + 0.2, "odd": float("nan"), "epochs": 0})
    (line,) = (run.path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line, parse_constant=pytest.fail) == {
        "group": "training",
        "steps_completed": 1,
        "epoch": 0,
        "metrics": {"loss": 0.30000000000000004, "odd": None},
    }


def test_rewinds_to_the_checkpoint(run):
    for steps in (10, 20, 30):
        validate(run, steps, steps / 100)
    run.rewind(20, validated=20)
    assert run.last_validation() == 20
    assert len((run.path / "metrics.jsonl").read_text().splitlines()) == 2


def test_a_validation_that_the_checkpoint_does_not_know_is_made_again(run):
    for steps in (10, 20):
        run.record(group="training", steps_completed=steps, metrics={"loss": 1.0})
        validate(run, steps, steps / 100)
    run.rewind(20, validated=10)
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["group"], line["steps_completed"]) for line in lines] == [
        ("training", 10), ("validation", 10), ("training", 20),
    ]  # fmt: skip


def test_a_full_disk_is_the_users_to_mend(run):
    """A real write error of torch's writer, under a limit on the size of files."""
    script = f"""
import pathlib, resource, signal, sys, torch
sys.path.insert(0, {str(pathlib.Path(__file__).parents[2])!r})
from model_def.errors import OutputError
from model_def.platform.run_directory import RunDirectory
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    with RunDirectory(pathlib.Path({str(run.path)!r}), metric="x", smaller_is_better=True).new_checkpoint(5) as path:
        torch.save(torch.zeros(100_000), path / "model.pth")
except OutputError as error:
    sys.exit(str(error))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "the disk is full" in done.stderr
    assert "free some room, then start again" in done.stderr
    assert saved(run) == []
