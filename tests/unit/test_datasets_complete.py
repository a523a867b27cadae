"""A data set is built once, whole or not at all."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_def.datasets import made
from model_def.datasets.coco import Split
from model_def.datasets.complete import build_once
from model_def.errors import DataError, OutputError

BUILD = """
import pathlib, sys
from model_def.datasets import made
print(made(pathlib.Path(sys.argv[1]), images=int(sys.argv[2])).fresh)
"""


def start_build(root: Path, images: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", BUILD, str(root), str(images)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def test_a_second_call_does_nothing(tmp_path: Path) -> None:
    first = made(tmp_path / "set")
    inode = (tmp_path / "set").stat().st_ino
    second = made(tmp_path / "set")
    assert (first.fresh, second.fresh) == (True, False)
    assert first.splits == second.splits
    assert (tmp_path / "set").stat().st_ino == inode


def test_other_settings_rebuild(tmp_path: Path) -> None:
    made(tmp_path / "set", images=8)
    assert made(tmp_path / "set", images=3).fresh
    assert len(list((tmp_path / "set/train").iterdir())) == 3


@pytest.mark.parametrize("lost", ["train.json", "val/000001.png", "manifest.json"])
def test_a_lost_file_is_noticed(tmp_path: Path, lost: str) -> None:
    made(tmp_path / "set")
    (tmp_path / "set" / lost).unlink()
    if lost == "manifest.json":
        with pytest.raises(DataError):
            made(tmp_path / "set")
    else:
        assert made(tmp_path / "set").fresh
        assert (tmp_path / "set" / lost).exists()


def test_what_someone_else_put_there_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "set"
    mine.mkdir()
    (mine / "manifest.json").write_text(json.dumps({"made_by": "me"}))
    with pytest.raises(DataError, match="something else is in the data set's place"):
        made(mine)
    assert [path.name for path in mine.iterdir()] == ["manifest.json"]


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    assert made(tmp_path / "set").fresh


def test_a_link_to_another_disk_is_followed(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "big")
    made(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "big/manifest.json").exists()


def test_a_killed_build_leaves_nothing_in_place_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    build = start_build(tmp_path / "set", images=20_000)
    partial = tmp_path / ".set.partial/train"
    deadline = time.monotonic() + 30
    while not (partial.is_dir() and len(list(partial.iterdir())) > 5) and time.monotonic() < deadline:
        time.sleep(0.01)
    build.send_signal(signal.SIGKILL)
    build.wait()
    assert partial.is_dir()
    assert not (tmp_path / "set").exists()
    assert made(tmp_path / "set", images=2).fresh
    assert not (tmp_path / ".set.partial").exists()


def test_an_interrupted_build_cleans_up_at_once_and_keeps_the_old_one(tmp_path: Path) -> None:
    made(tmp_path / "set", images=2)

    def fill(folder: Path) -> dict[str, Split]:
        (folder / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_once(tmp_path / "set", settings={"other": 1}, classes=("a",), fill=fill)
    assert not (tmp_path / ".set.partial").exists()
    assert not made(tmp_path / "set", images=2).fresh


def test_two_builds_at_once_make_one_data_set(tmp_path: Path) -> None:
    builds = [start_build(tmp_path / "set", images=200) for _ in range(2)]
    fresh = sorted(build.communicate(timeout=60)[0].strip() for build in builds)
    assert fresh == ["False", "True"]
    assert len(list((tmp_path / "set/train").iterdir())) == 200


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """The system refuses to write more than 10 kB to a file, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files_only")
def test_a_write_that_fails_is_the_users_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the data set can't be written") as caught:
        made(tmp_path / "set")
    assert "File too large" in str(caught.value)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_a_parent_that_is_a_file_is_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        made(tmp_path / "file/set")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_write_permission_is_the_users_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError):
        made(tmp_path / "set")
