"""Images a second from a store that takes 20 ms to its first byte, beside the local disk and what one writes first.

    python -m benchmarks.data [ROUNDS]

Every way loads in a process of its own; they take turns, a block of batches each, so that all meet the same machine;
ROUNDS times with empty caches. The store is our own server on this machine: its work is paid here too, and told.
Everything is written below TMPDIR: a new file in the cache costs what it costs on that disk, and that is told too. The
data: pictures with as much detail as photographs, 640 × 480, about 130 KB each as JPEG, with the metadata that `data
put` gives them. The first table only decodes them; the second has the training pipeline of the zoo's Faster R-CNN.
"""

from __future__ import annotations

import json
import operator
import os
import pathlib
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.turns import in_turns, quartiles
from tests.support.servers import fault_server, s3_environment

LATENCY = 0.020  # seconds to the first byte
IMAGES = 1600
SHARD = 100  # images in a tar file
SLOW = 5  # what reads one object after another gets only one in so many images: a block of batches
# The way to load, its backend_args; a cache is empty at the beginning of each run.
WAYS: dict[str, tuple[str, dict[str, object]]] = {
    "local disk": ("disk", {}),
    "boto3, one object per image": ("boto3", {}),
    "tar shards, read in order": ("tar", {}),
    "ours": ("store", {"backend": "s3"}),
    "ours, without the cache": ("store", {"backend": "s3", "cache": {"enabled": False}}),
    "ours, obstore": ("store", {"backend": "s3", "client": "obstore"}),
}
TRAINED = ("local disk", "ours", "ours, obstore")  # in the second table
BOXES = 7  # in an image, as COCO has on average
Costs = list[list[dict[str, float]]]  # of each epoch's blocks


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
    for name, count in (("all", images), ("some", images // SLOW)):
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


def run(names: Iterable[str], pipeline: str, folder: pathlib.Path, environment: dict[str, str]) -> dict[str, Costs]:
    """What two epochs of each way cost."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        commands = [command(name, pipeline, folder, f"{scratch}/{number}") for number, name in enumerate(names)]
        in_turns(*commands, environment=environment, folder=pathlib.Path(scratch))
        logs = [pathlib.Path(scratch, f"{number}.log").read_text() for number in range(len(commands))]
    return {name: json.loads(log.splitlines()[-1]) for name, log in zip(names, logs, strict=True)}


def command(name: str, pipeline: str, folder: pathlib.Path, cache: str) -> list[str]:
    """The command line of one way, with an empty cache."""
    way, backend_args = WAYS[name]
    data = folder / ("some" if way == "boto3" else "all")
    side = [sys.executable, "-m", "benchmarks.data_side", way, str(data), json.dumps(backend_args), pipeline]
    return ["env", f"XDG_CACHE_HOME={cache}", *side]


def table(measured: dict[str, list[Costs]], pipeline: str) -> Table:
    """Medians of all blocks; ratios are those of the blocks that were neighbours."""
    both = ("images/s, epoch 1", "epoch 2", "of disk, epoch 1", "epoch 2")
    columns = (*both, "CPU s per 1000", "over disk", "MiB a worker")
    rounds, disk = len(measured["local disk"]), measured["local disk"]
    result = Table("", *columns, title=f"{pipeline}: epochs 1 and 2, {rounds} rounds, each block in turns")
    for name, costs in measured.items():
        rates = [f"{median(costs, turn, 'rate'):.0f}" for turn in (0, 1)]
        ratios = [told(pairs(costs, disk, turn, "rate", operator.truediv)) for turn in (0, 1)]
        over = statistics.median(pairs(costs, disk, 0, "cpu", operator.sub))
        memory = [f"{median(costs, turn, 'memory'):.0f}" for turn in (0, 1)]
        result.add_row(name, *rates, *ratios, f"{median(costs, 0, 'cpu'):.2f}", f"{over:.2f}", ", ".join(memory))
    return result


def median(costs: list[Costs], epoch: int, figure: str) -> float:
    """Of all blocks of all rounds."""
    return statistics.median(block[figure] for one in costs for block in one[epoch])


def pairs(
    costs: list[Costs], disk: list[Costs], epoch: int, figure: str, compared: Callable[[float, float], float]
) -> list[float]:
    """Each block's figure, compared with that of the disk's block of the same turn."""
    both = (zip(own[epoch], his[epoch], strict=False) for own, his in zip(costs, disk, strict=True))
    return [compared(block[figure], other[figure]) for blocks in both for block, other in blocks]


def told(ratios: list[float]) -> str:
    """The median, and what the middle half lies between."""
    low, middle, high = quartiles(ratios)
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


def new_file(folder: pathlib.Path) -> float:
    """CPU milliseconds that this disk takes for a new file of an object's size."""
    body, began = bytes(130_000), time.process_time()
    for number in range(200):
        (folder / f"new{number}").write_bytes(body)
    return (time.process_time() - began) / 200 * 1000


def compare(pipeline: str, names: Sequence[str], rounds: int, folder: pathlib.Path) -> None:
    """Print the table of some ways."""
    measured: dict[str, list[Costs]] = {name: [] for name in names}
    with fault_server(folder, latency=LATENCY, note="right") as server:
        environment = {**os.environ, **s3_environment(server.url), "OMP_NUM_THREADS": "1"}
        for turn in range(rounds):
            for name, costs in run(names, pipeline, folder, environment).items():
                measured[name].append(costs)
            print(f"{turn + 1} of {rounds} rounds, load {os.getloadavg()[0]:.1f}", flush=True)
        log = server.log()
    Console(width=160).print(table(measured, pipeline))
    print(f"the server: {log['cpu']['ms'] / sum(log['asked'].values()):.2f} CPU ms a request", flush=True)


def main(rounds: int = 5) -> None:
    """Compare all ways, then some of them with all that a training does to an image."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        size = make(folder, IMAGES)
        print(f"{IMAGES} images of {size:.0f} KB, {LATENCY * 1000:.0f} ms", flush=True)
        print(f"a new file in the cache: {new_file(folder):.2f} CPU ms", flush=True)
        compare("decode", tuple(WAYS), rounds, folder)
        compare("train", TRAINED, rounds, folder)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
