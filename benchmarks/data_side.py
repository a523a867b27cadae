"""Loads a data set twice in one way, and prints what it costs as JSON: `benchmarks.data` compares them.

    python -m benchmarks.data_side disk|store|boto3|tar FOLDER [BACKEND_ARGS [decode|train]]

All decode the same JPEGs to 640 × 480 in two workers, in batches of 8, with the transforms and the loader of training.
With `train` they go through the pipeline of the zoo's Faster R-CNN: boxes too, 1333 × 800, flips. Several of these take
turns: `benchmarks.turns` lets one go on when another has loaded a block of batches.
"""

from __future__ import annotations

import functools
import json
import pathlib
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import boto3
import mmcv
import psutil
import torch
from mmcv.transforms import LoadImageFromFile, Resize
from mmdet.registry import DATASETS, TRANSFORMS
from mmdet.utils import register_all_modules
from mmengine.runner import Runner
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from benchmarks.turns import wait_for_turn
from model_def.loading.loader import placed
from model_def.storage.register import register

BATCH, WORKERS, EPOCHS = 8, 2, 2
BLOCK = 40  # batches in a turn
WARM_UP = 10  # of these: what was loaded before the turn; in the first one workers start and clients connect
SETTLING = 0.2  # seconds for the workers to end what they have begun, before another's turn
SCALE = (640, 480)
BUCKET = "coco"
PIPELINES: dict[str, list[dict[str, Any]]] = {
    "decode": [{"type": "Resize", "scale": SCALE}, {"type": "mmdet.PackDetInputs"}],
    "train": [
        {"type": "mmdet.LoadAnnotations", "with_bbox": True},
        {"type": "mmdet.Resize", "scale": (1333, 800), "keep_ratio": True},
        {"type": "mmdet.RandomFlip", "prob": 0.5},
        {"type": "mmdet.PackDetInputs"},
    ],
}


@TRANSFORMS.register_module()
class LoadWithBoto3(LoadImageFromFile):  # type: ignore[misc]
    """What one writes first: boto3, an object when it is needed."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        body = boto3_client().get_object(Bucket=BUCKET, Key=results["img_path"])["Body"].read()
        return with_image(results, body)


@DATASETS.register_module()
class Tars(IterableDataset[Any]):
    """Shards in the form of WebDataset: tar files that are read from their beginning to their end, as they arrive."""

    def __init__(self, shards: list[str], transforms: list[Callable[[Any], Any]]) -> None:
        self.shards, self.transforms = shards, transforms

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        for shard in self.shards[info.id :: info.num_workers] if info else self.shards:
            body = boto3_client().get_object(Bucket=BUCKET, Key=shard)["Body"]
            with tarfile.open(fileobj=body, mode="r|") as tar:
                for number, member in enumerate(tar):
                    file = tar.extractfile(member)
                    results = with_image({"img_id": number}, file.read() if file else b"")
                    yield functools.reduce(lambda value, transform: transform(value), self.transforms, results)


@functools.cache
def boto3_client() -> Any:
    """This worker's."""
    return boto3.session.Session().client("s3")


def with_image(results: dict[str, Any], body: bytes) -> dict[str, Any]:
    """What LoadImageFromFile makes of a file's bytes."""
    image = mmcv.imfrombytes(body)
    return {**results, "img": image, "img_shape": image.shape[:2], "ori_shape": image.shape[:2]}


def dataset(root: str, annotations: str, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
    """The config of a data set of images."""
    return {
        "type": "mmdet.CocoDataset", "ann_file": annotations, "data_prefix": {"img": root}, "pipeline": pipeline,
        "metainfo": {"classes": ("thing",)},
    }  # fmt: skip


def loader(config: dict[str, Any]) -> DataLoader[Any]:
    """As mmengine builds it."""
    sampler = {"type": "DefaultSampler", "shuffle": True}
    built: DataLoader[Any] = Runner.build_dataloader(
        {
            "batch_size": BATCH, "num_workers": WORKERS, "persistent_workers": True, "sampler": sampler,
            "dataset": config,
        },
        seed=0,
    )  # fmt: skip
    return built


def build(way: str, folder: pathlib.Path, backend_args: dict[str, Any], pipeline: str) -> Iterable[Any]:
    """The loader of one way."""
    load: dict[str, Any] = {"type": "LoadImageFromFile"}
    roots = {"disk": f"{folder}/{BUCKET}/", "store": f"s3://{BUCKET}/", "boto3": ""}
    if way == "store":
        load["backend_args"] = backend_args
    elif way == "boto3":
        load["type"] = "LoadWithBoto3"
    if way in roots:
        built = loader(dataset(roots[way], str(folder / "annotations.json"), [load, *PIPELINES[pipeline]]))
        return built if way == "boto3" else placed(built, waits=False)
    shards = sorted(path.name for path in (folder / BUCKET).glob("*.tar"))
    transforms = [Resize(scale=SCALE), TRANSFORMS.build({"type": "mmdet.PackDetInputs", "meta_keys": ("img_id",)})]
    tars = Tars(shards, transforms)
    return DataLoader(tars, BATCH, num_workers=WORKERS, persistent_workers=True, collate_fn=lambda batch: batch)


def workers() -> list[psutil.Process]:
    """The processes that load."""
    return list(psutil.Process().children(recursive=True))


def seconds_of_cpu() -> float:
    """Of this process and its workers, so far."""
    return float(sum(sum(process.cpu_times()[:2]) for process in (psutil.Process(), *workers())))


def epoch(batches: Iterable[Any]) -> list[dict[str, float]]:
    """What each block costs: images a second, CPU ms of an image, MiB of a worker."""
    images, began, cpu, costs = 0, 0.0, 0.0, []
    for number, batch in enumerate(batches, start=1):
        images += len(batch["inputs"] if isinstance(batch, dict) else batch)
        if number % BLOCK == WARM_UP:
            images, began, cpu = 0, time.perf_counter(), seconds_of_cpu()
        elif number % BLOCK == 0:
            rate, spent = images / (time.perf_counter() - began), 1000 * (seconds_of_cpu() - cpu) / images
            memory = max(process.memory_full_info().uss for process in workers()) / 2**20
            costs.append({"rate": rate, "cpu": spent, "memory": memory})
            time.sleep(SETTLING)
            wait_for_turn()
    return costs


def main(way: str, folder: str, backend_args: str = "{}", pipeline: str = "decode") -> None:
    """Load `EPOCHS` times."""
    torch.set_num_threads(1)
    register_all_modules()
    register()
    batches = build(way, pathlib.Path(folder), json.loads(backend_args), pipeline)
    print(json.dumps([epoch(batches) for _ in range(EPOCHS)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
