"""Images a second from a store that takes 20 ms to its first byte, beside the local disk and what one writes first.

    python -m benchmarks.data [ROUNDS [IMAGES]]

Every way loads in a process of its own, one after another, ROUNDS times. The store is our own server on this machine:
its work is paid here too, and told. Everything is written below TMPDIR: a new file in the cache costs what it costs on
that disk, and that is told too. The data: pictures with as much detail as photographs, 640 × 480, about 130 KB each
as JPEG, with the metadata that `data put` gives them. The first table only decodes them; the second has the training
pipeline of the zoo's Faster R-CNN.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from tests.support.servers import FaultServer, fault_server, s3_environment

LATENCY = 0.020  # seconds to the first byte
SHARD = 100  # images in a tar file
SLOW = 5  # what reads one object after another gets only one in so many images
# The way to load, its backend_args; a cache is empty at the beginning of each run.
WAYS: dict[str, tuple[str, dict[str, object]]] = {
    "local disk": ("disk", {}),
    "boto3, one object per image": ("boto3", {}),
    "tar shards, read in order": ("tar", {}),
    "ours": ("store", {"backend": "s3"}),
    "ours, without the cache": ("store", {"backend": "s3", "cache": {"enabled": False}}),
    "ours, obstore": ("store", {"backend": "s3", "client": "obstore"}),
}
TRAINED = ("local disk", "ours", "ours, obstore")  # in the second table, with a part of the images
PART = 3
BOXES = 7  # in an image, as COCO has on average
Costs = list[dict[str, float]]


def picture(chance: np.random.Generator) -> bytes:
    """A JPEG with as much detail as a photograph's."""
    coarse = cv2.resize(chance.integers(0, 255, (12, 16, 3), dtype=np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
    noise = chance.normal(0, 11, (480, 640, 1))
    image = np.clip(coarse + noise, 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def make(folder: pathlib.Path, images: int) -> float:
    """Write the objects, the same again in shards, and annotations without objects; gives the mean size in KB."""
    bucket, chance = folder / "coco", np.random.default_rng(0)
    bucket.mkdir()
    pictures = [picture(chance) for _ in range(32)]
    entries = []
    for number in range(images):
        name = f"{number:06}.jpg"
        (bucket / name).write_bytes(pictures[number % len(pictures)])
        entries.append({"id": number, "file_name": name, "width": 640, "height": 480})
    for first in range(0, images, SHARD):
        with tarfile.open(bucket / f"{first:06}.tar", "w") as tar:
            for entry in entries[first : first + SHARD]:
                tar.add(bucket / str(entry["file_name"]), arcname=str(entry["file_name"]))
    categories = [{"id": 1, "name": "thing"}]
    for name, count in (("all", images), ("some", images // SLOW), ("part", images // PART)):
        some = entries[:count]
        (folder / name).mkdir()
        (folder / name / "coco").symlink_to(bucket)
        content = {"images": some, "annotations": boxes(some), "categories": categories}
        (folder / name / "annotations.json").write_text(json.dumps(content))
    return sum(map(len, pictures)) / len(pictures) / 1000


def boxes(images: list[dict[str, object]]) -> list[dict[str, object]]:
    """Annotations of some images."""
    place = {"bbox": [10, 10, 100, 100], "area": 10_000, "category_id": 1, "iscrowd": 0}
    return [{"image_id": image["id"], "id": n, **place} for n, image in enumerate(images * BOXES)]


def run(name: str, pipeline: str, folder: pathlib.Path, environment: dict[str, str]) -> Costs:
    """What two epochs of one way cost."""
    way, backend_args = WAYS[name]
    data = folder / ("some" if way == "boto3" else "part" if pipeline == "train" else "all")
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        command = [sys.executable, "-m", "benchmarks.data_side", way, str(data), json.dumps(backend_args), pipeline]
        environment = {**environment, "XDG_CACHE_HOME": cache}
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{way} failed:\n{done.stdout}\n{done.stderr}")
    costs: Costs = json.loads(done.stdout.splitlines()[-1])
    return costs


def table(measured: dict[str, list[Costs]], rounds: int, pipeline: str) -> Table:
    """Medians; ratios are those of each round."""
    columns = (
        "images/s, epoch 1",
        "epoch 2",
        "of disk, epoch 1",
        "epoch 2",
        "CPU s per 1000",
        "over disk",
        "server's, of 1000 requests",
        "MiB a worker",
    )
    result = Table("", *columns, title=f"{pipeline}: epochs 1 and 2, medians of {rounds} interleaved rounds")
    disk = measured["local disk"]
    for name, costs in measured.items():
        rates = [f"{statistics.median(two[turn]['rate'] for two in costs):.0f}" for turn in (0, 1)]
        ratios = []
        for turn in (0, 1):
            pairs = sorted(own[turn]["rate"] / his[turn]["rate"] for own, his in zip(costs, disk, strict=True))
            ratios.append(f"{statistics.median(pairs):.2f} ({pairs[0]:.2f}–{pairs[-1]:.2f})")
        cpu = statistics.median(two[0]["cpu"] for two in costs)
        over = statistics.median(own[0]["cpu"] - his[0]["cpu"] for own, his in zip(costs, disk, strict=True))
        memory = [statistics.median(two[turn]["memory"] for two in costs) for turn in (0, 1)]
        server = statistics.median(two[0]["server"] for two in costs)
        spent = [f"{value:.2f}" for value in (cpu, over, server)]
        result.add_row(name, *rates, *ratios, *spent, f"{memory[0]:.0f}, {memory[1]:.0f}")
    return result


def new_file(folder: pathlib.Path) -> float:
    """CPU milliseconds that this disk takes for a new file of an object's size."""
    body, began = bytes(130_000), time.process_time()
    for number in range(200):
        (folder / f"new{number}").write_bytes(body)
    return (time.process_time() - began) / 200 * 1000


def work(server: FaultServer) -> tuple[int, int]:
    """What the server has done so far: CPU milliseconds, requests."""
    told = server.log()
    return told["cpu"]["ms"], sum(told["asked"].values())


def compare(pipeline: str, names: Iterable[str], rounds: int, folder: pathlib.Path) -> None:
    """Print the table of some ways."""
    measured: dict[str, list[Costs]] = {name: [] for name in names}
    with fault_server(folder, latency=LATENCY, note="right") as server:
        environment = {**os.environ, **s3_environment(server.url), "OMP_NUM_THREADS": "1"}
        for turn, name in itertools.product(range(rounds), measured):
            before, costs, after = work(server), run(name, pipeline, folder, environment), work(server)
            spent, requests = (new - old for new, old in zip(after, before, strict=True))
            costs[0]["server"] = spent / requests if requests else 0.0
            measured[name].append(costs)
            rates = " and ".join(f"{one['rate']:.0f}" for one in costs)
            print(f"{turn + 1}/{rounds} {name}: {rates} images/s, load {os.getloadavg()[0]:.1f}", flush=True)
    Console(width=160).print(table(measured, rounds, pipeline))


def main(rounds: int = 5, images: int = 1500) -> None:
    """Compare all ways, then some of them with all that a training does to an image."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        size = make(folder, images)
        print(f"{images} images of {size:.0f} KB, {LATENCY * 1000:.0f} ms", flush=True)
        print(f"a new file in the cache: {new_file(folder):.2f} CPU ms", flush=True)
        compare("decode", WAYS, rounds, folder)
        compare("train", TRAINED, rounds, folder)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
