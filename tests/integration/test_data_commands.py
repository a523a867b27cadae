"""`data check`, `data cache`, and what Ctrl-C leaves."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

from model_def import cli
from model_def.storage.address import Address
from model_def.storage.choose import client_for
from model_def.storage.client import Client
from model_def.storage.options import Options
from tests.support.commands import ENVIRONMENT, model_def
from tests.support.zips import below, coco_2017, serving

EXPERIMENT = {
    "name": "shapes",
    "entrypoint": "python3 -m determined.launch.torch_distributed python3 -m model_def.train",
    "hyperparameters": {
        "config_file": "retinanet/retinanet_r18_fpn_1x_coco.py",
        "global_batch_size": 2,
        "dataset": {
            "root": "data/shapes",
            "train": {"ann_file": "train.json", "img_prefix": "train/"},
            "val": {"ann_file": "val.json", "img_prefix": "val/"},
            "classes": ["rectangle", "ellipse"],
        },
        "override_mmdet_config": {"train_dataloader": {"num_workers": 1}},
    },
    "searcher": {"name": "single", "metric": "bbox_mAP", "smaller_is_better": False},
}


@pytest.fixture
def context(shapes_context: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A copy of the shapes, with an experiment that reads them, and an empty cache."""
    shutil.copytree(shapes_context, tmp_path / "context")
    (tmp_path / "context/e.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path / "context")
    return tmp_path / "context"


@pytest.fixture
def uploaded(context: pathlib.Path, s3_bucket: Address) -> tuple[Client, Address]:
    """The shapes in a bucket: a client, and where they are."""
    client, place = client_for("s3", Options()), s3_bucket / "shapes"
    for name, body in below(context / "data/shapes").items():
        client.put(place / name, body)
    return client, place


@pytest.fixture
def data(capfd: pytest.CaptureFixture[str]):
    """Runs `data …` and returns its exit code, and what it wrote on both streams."""

    def run(command: str, *arguments: str) -> tuple[int, str, str]:
        code = cli.main(["data", command, "e.yaml", *arguments])
        return code, *capfd.readouterr()

    return run


def test_check_counts_and_measures_what_is_there(context: pathlib.Path, data) -> None:
    code, told, _ = data("check")
    assert code == 0
    assert "train_dataloader.dataset: 24 images, " in told
    assert "val_dataloader.dataset: 6 images, " in told
    assert "all 32 files are there" in told
    assert float(told.partition("about ")[2].split()[0]) > 1
    assert not (context / "missing-files.txt").exists()


def test_check_of_a_bucket_names_what_is_missing_and_what_was_meant(
    context: pathlib.Path, uploaded: tuple[Client, Address], data
) -> None:
    client, place = uploaded
    for number in range(1, 13):
        client.remove(place / f"train/{number:06d}.png")
    client.copy(place / "val/000003.png", place / "val/000003.PNG")
    client.remove(place / "val/000003.png")
    code, told, error = data("check", f"dataset.root={place}")
    assert code == 2
    assert "train_dataloader.dataset: 12 of 24 images" in told
    assert told.count("missing: ") == 10
    assert "13 of 32 files are missing" in error
    listed = (context / "missing-files.txt").read_text().splitlines()
    assert len(listed) == 13
    assert f"{place}/val/000003.png" in listed
    code, told, _ = data("check", f"dataset.root={place}", "dataset.train={ann_file: val.json, img_prefix: val}")
    assert code == 2
    assert f"missing: {place}/val/000003.png (there is {place}/val/000003.PNG)" in told


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("s3://{bucket}/shaeps", "missing: s3://{bucket}/shaeps/train.json (there is s3://{bucket}/shapes/)"),
        ("s3://nobody-has-this/shapes", "no such bucket"),
        ("data/shaeps", "missing: data/shaeps/train.json (there is data/shapes/)"),
    ],
)
def test_check_of_a_wrong_place_is_one_clear_error(
    uploaded: tuple[Client, Address], data, root: str, message: str
) -> None:
    bucket = uploaded[1].bucket
    code, told, error = data("check", f"dataset.root={root.format(bucket=bucket)}")
    assert code == 2
    assert message.format(bucket=bucket) in told + error
    assert "Traceback" not in error


def test_cache_brings_everything_and_reads_nothing_twice(
    tmp_path: pathlib.Path, uploaded: tuple[Client, Address], data
) -> None:
    client, place = uploaded
    code, told, _ = data("cache", f"dataset.root={place}")
    assert (code, told.splitlines()[-1]) == (0, "32 of 32 objects are in the cache: 866 kB of 866 kB")
    kept = below(tmp_path / "cache")
    for stat in list(client.list(place.folder)):
        if stat.address.key.endswith(".png"):
            client.put(stat.address, b"nobody reads this")
    assert data("cache", f"dataset.root={place}")[0] == 0
    assert {name: body for name, body in below(tmp_path / "cache").items() if "/locks/" not in name} == {
        name: body for name, body in kept.items() if "/locks/" not in name
    }


def test_cache_stays_within_its_bound_and_says_so(
    context: pathlib.Path, uploaded: tuple[Client, Address], data
) -> None:
    store = f"backend: s3, bucket_name: {uploaded[1].bucket}, cache: {{size: 300 KB, dir: small"
    code, told, _ = data("cache", "dataset.root=shapes", f"file_client_args={{{store}}}}}")
    assert code == 0
    count = int(told.partition(" of 32 objects are in the cache")[0].split()[-1])
    assert 5 <= count < 12
    assert f"no room for the other {32 - count}" in told
    assert sum(len(body) for body in below(context / "small").values()) < 310_000
    code, _, error = data("cache", "dataset.root=shapes", f"file_client_args={{{store}, read_only: true}}}}")
    assert code == 2
    assert "the disk cache is read-only" in error


def test_cache_that_keeps_nothing_is_told_and_ends_soon(
    context: pathlib.Path, uploaded: tuple[Client, Address], data
) -> None:
    store = f"{{backend: s3, bucket_name: {uploaded[1].bucket}, cache: {{dir: e.yaml/cache}}}}"
    code, _, error = data("cache", "dataset.root=shapes", f"file_client_args={store}")
    assert code == 2
    assert "objects could not be brought" in error
    assert "the disk cache e.yaml/cache didn't keep it" in error
    assert "Traceback" not in error


def test_cache_of_local_files_has_nothing_to_do(context: pathlib.Path, data) -> None:
    code, told, _ = data("cache")
    assert (code, told.splitlines()[-1]) == (0, "nothing to bring: all files are on this machine")


def listens_to_ctrl_c() -> None:
    """Tests may run in the background, where a shell has Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_stopped_download_goes_on_where_it_was(tmp_path: pathlib.Path) -> None:
    with serving(coco_2017(train=400)) as server:
        server.pause = 0.01
        arguments = ["data", "coco", "--split", "train", "--threads", "1", "--to", "coco", "--from", server.url]
        command = [sys.executable, "-m", "model_def", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, preexec_fn=listens_to_ctrl_c, **pipes)
        while len(below(tmp_path)) < 100:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
        assert process.returncode == 130, told
        assert told.startswith("stopped: ")
        assert f"python -m model_def {' '.join(arguments)}" in told
        there = below(tmp_path / "coco")
        assert not [name for name in there if name.endswith(".part")]
        assert f"stopped: {len(there)} of 403 files are there" in told
        before = {name: os.stat(tmp_path / "coco" / name).st_mtime_ns for name in there}
        server.pause = 0
        done = model_def(*arguments, cwd=tmp_path)
        assert f"({len(there) - 3} were there" in done.stdout
        assert len(below(tmp_path / "coco")) == 403
        assert before == {name: os.stat(tmp_path / "coco" / name).st_mtime_ns for name in there}
