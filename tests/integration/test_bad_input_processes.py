"""Mistakes as the shell sees them: in processes of their own, in two that train together, and on a full disk."""

from __future__ import annotations

import contextlib
import pathlib
import resource
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from model_def.checks.images import OPENED, sample
from tests.support.commands import model_def, torchrun
from tests.support.place import PARTS, Place, build

COMMANDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "no experiment": (("train", "nothing.yaml"), ("no such experiment file: 'nothing.yaml'",)),
    "a wrong type": (("train", "tiny.yaml", "global_batch_size=two"), ("can't be a string: 'two'",)),
    "no such image": (("predict", "run", "nothing.png"), ("there is no such image: 'nothing.png'",)),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_process_of_its_own(name: str, run: pathlib.Path, place: Place) -> None:
    arguments, words = COMMANDS[name]
    before = place.files()
    done = model_def(*arguments, cwd=place.root, code=2)
    assert all(word in done.stderr for word in (*words, *PARTS)), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert place.files() == before


def assert_said_once(stderr: str, message: str) -> None:
    """Of two processes one has told the mistake. torchrun says in its own words, with a traceback, that they ended."""
    assert stderr.count(message) == 1, stderr
    assert "model_def/cli.py" not in stderr, "a traceback of ours"
    assert "exitcode  : 2" in stderr


def test_two_processes_and_a_batch_that_does_not_divide(place: Place) -> None:
    before = place.files()
    done = torchrun(2, "train", "tiny.yaml", "global_batch_size=3", cwd=place.root, code=None)
    assert_said_once(done.stderr, "can't be divided evenly over 2 slots: 3")
    assert "`global_batch_size: 4`" in done.stderr
    assert "--nproc-per-node" in done.stderr
    assert place.files() == before


def test_two_processes_of_which_one_meets_a_broken_image(place: Place) -> None:
    """The other one would only see a lost connection."""
    shutil.rmtree(place.root / "data")
    count = OPENED + 8
    build(place.root, images=count)
    unseen = [index for index in range(count) if index not in sample(list(range(count)), OPENED)]
    index = next(index for index in unseen if index % 2)  # in order, the second process gets every second one
    (place.root / f"data/train/{index + 1:06}.png").write_text("no image")
    before = place.files()
    done = torchrun(2, "train", "tiny.yaml", "train_dataloader.sampler.shuffle=false", cwd=place.root, code=None)
    assert_said_once(done.stderr, f"an image is missing or broken: 'data/train/{index + 1:06}.png'")
    assert place.files() == before


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A limit on the size of files: for a program much the same as a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def small_disk(place: Place, size: int) -> Iterator[None]:
    """A real small disk as `disk/`, where this machine lets us mount one."""
    disk = place.root / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("size", [5_000, 9_000, 14_000])  # in a config, in the log
def test_files_that_can_not_grow(size: int, place: Place) -> None:
    before = place.files()
    with largest_file(size):
        code, out, err = place.run("train", "tiny.yaml", "--output", "run")
    assert code == 2, out + err
    assert "the disk is full" in err or "can't be written (File too large)" in err
    assert "Traceback" not in err
    assert place.files() == before


@pytest.mark.parametrize("size", [1, 5, 9, 13])
def test_a_full_disk_before_anything_is_saved(size: int, place: Place) -> None:
    """Four pages of 4 KiB and so on: the disk is full at another file each time."""
    with small_disk(place, size * 4096):
        code, out, err = place.run("train", "tiny.yaml", "--output", "disk/run")
        left = list((place.root / "disk").iterdir())
    assert code == 2, out + err
    assert all(part in err for part in PARTS), err
    assert "No space left" in err
    assert "Traceback" not in err
    assert left == []


def test_a_full_disk_at_the_first_checkpoint(place: Place) -> None:
    with largest_file(500_000):
        code, out, err = place.run("train", "tiny.yaml", "--output", "run")
    assert code == 2, out + err
    assert "the checkpoint of batch 2 can't be written: the disk is full" in err
    assert "free some room, then start again with a new --output" in err
    assert "Traceback" not in err
    assert list((place.root / "run/checkpoints").iterdir()) == [], "no half checkpoint"
    assert '"bbox_mAP"' in (place.root / "run/metrics.jsonl").read_text(), "what was measured stays"


def test_a_full_disk_at_a_later_checkpoint(run: pathlib.Path, place: Place) -> None:
    """The last whole checkpoint is still there, and training goes on from it."""
    with largest_file(500_000):
        code, _, err = place.run("train", "tiny.yaml", "--resume", "run", "train_cfg.max_epochs=2")
    assert code == 2, err
    assert "go on from the last whole checkpoint: --resume run" in err
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["2", "best", "latest"]
    code, _, err = place.run("train", "tiny.yaml", "--resume", "run", "train_cfg.max_epochs=2")
    assert code == 0, err
