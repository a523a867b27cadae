"""The same data in a bucket: training, validation and going on give the numbers of the disk.

`make soak` tries every store with every number of workers and processes.
"""

from __future__ import annotations

import functools
import os
import pathlib
from collections.abc import Callable

import pytest
import torch
import yaml
from mmengine.fileio import get_file_backend

from model_def.storage.address import Address
from model_def.storage.options import STORES
from tests.support.commands import metrics, yaml_writer
from tests.support.trainings import Stop, run, same_run

BACKENDS = {scheme: backend for backend, scheme in STORES.items()}
EVERY = [(store, workers, processes) for store in BACKENDS.values() for workers in (0, 2) for processes in (1, 2)]
CASES = EVERY if os.environ.get("CLOUD") == "all" else [("gcs", 0, 1), ("s3", 2, 2)]

Train = Callable[..., pathlib.Path]


@pytest.fixture(scope="module")
def experiment(retinanet) -> dict:
    return yaml.safe_load(retinanet.read_text())


@pytest.fixture(scope="module")
def on_disk(experiment, shapes_context, tmp_path_factory) -> Callable[[int, int], pathlib.Path]:
    """The output directory of a run with data on the disk."""

    @functools.cache
    def trained(workers: int, processes: int) -> pathlib.Path:
        folder = tmp_path_factory.mktemp("disk")
        return training(experiment, folder, shapes_context, workers, processes)("output")

    return trained


def training(
    experiment: dict, folder: pathlib.Path, cwd: pathlib.Path, workers: int, processes: int, **given: object
) -> Train:
    file = yaml_writer(folder)(experiment)
    loading = (f"train_dataloader.num_workers={workers}", f"train_dataloader.persistent_workers={workers > 0}")

    def train(name: str, **how: object) -> pathlib.Path:
        run(file, folder / name, *loading, cwd=cwd, processes=processes, **given, **how)
        return folder / name

    return train


def in_bucket(experiment: dict, bucket: Address, cache: pathlib.Path) -> dict:
    store = {"backend": BACKENDS[bucket.scheme], "cache": {"dir": str(cache)}}
    place = {**store, "bucket_name": bucket.bucket, "prefix": "folder"}
    return {**experiment, "hyperparameters": {**experiment["hyperparameters"], "file_client_args": place}}


@pytest.mark.parametrize(("store", "workers", "processes"), CASES)
def test_the_numbers_are_those_of_the_disk(
    store, workers, processes, experiment, on_disk, shapes_context, tmp_path, request
):
    bucket, server = request.getfixturevalue(f"{store}_bucket"), request.getfixturevalue(store)
    get_file_backend(str(bucket)).copytree_from_local(shapes_context / "data", f"{bucket}folder/data")
    content = in_bucket(experiment, bucket, tmp_path / "cache")
    train = training(content, tmp_path, shapes_context, workers, processes, environment=server.environment)

    whole = train("whole")
    theirs = on_disk(workers, processes)
    assert metrics(whole / "metrics.jsonl") == metrics(theirs / "metrics.jsonl")
    weights = [torch.load(one / "checkpoints/latest/model.pth", weights_only=True) for one in (whole, theirs)]
    assert all(torch.equal(*pair) for pair in zip(*(one["state_dict"].values() for one in weights), strict=True))

    stopped = train("stopped", stop=Stop(batch=8))
    train("stopped", resume=True)
    same_run(stopped, whole)
