"""What the data costs when a run goes on at iteration 100,000, beside stock mmengine.

    python -m benchmarks.resume

The data set has 118,287 images, as COCO's train2017, each with seven objects and their outlines, in mmdet's own
CocoDataset and mmengine's own loader. Ours is the time from a loaded checkpoint to the indices of the next batch. Stock
mmengine's iteration loop loads and augments every batch again: some are timed, the rest is multiplied. Its epoch loop
begins the epoch anew instead, which is quick, and trains on other data.
"""

from __future__ import annotations

import functools
import itertools
import pathlib
import random
import tempfile
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from mmdet.datasets import CocoDataset
from mmdet.utils import register_all_modules
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table

from model_def.loading.loader import placed
from model_def.loading.order import Order

IMAGES, OBJECTS, ITERATIONS, TIMED = 118_287, 7, 100_000, 10
PIPELINE = [
    {"type": "LoadImageFromFile"},
    {"type": "LoadAnnotations", "with_bbox": True},
    {"type": "Resize", "scale": (1333, 800), "keep_ratio": True},
    {"type": "RandomFlip", "prob": 0.5},
    {"type": "PackDetInputs"},
]
RATIO = {"type": "AspectRatioBatchSampler"}
EPOCHS, ENDLESS = {"type": "DefaultSampler", "shuffle": True}, {"type": "InfiniteSampler", "shuffle": True}
# name: sampler, batch sampler, batch size, the batch of the epoch (or of all) to go on behind, whether stock repeats it
CASES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, int, int, bool]] = {
    "iterations, batches of 16": (ENDLESS, None, 16, ITERATIONS, True),
    "iterations, batches of 2 by aspect ratio": (ENDLESS, RATIO, 2, ITERATIONS, True),
    "end of an epoch, batches of 2 by aspect ratio": (EPOCHS, RATIO, 2, IMAGES // 2 - 20, False),
}


class Index(CocoDataset):
    """An index like COCO's, without a file of 450 MB: every image is the same picture."""

    def load_data_list(self) -> list[dict[str, Any]]:
        chance = random.Random(0)
        return [self._image(number, chance) for number in range(IMAGES)]

    def _image(self, number: int, chance: random.Random) -> dict[str, Any]:
        width, height = (640, 480) if chance.random() < 0.7 else (480, 640)
        objects = []
        for _ in range(OBJECTS):
            outline = [chance.uniform(0, 400) for _ in range(40)]
            objects.append({"bbox": outline[:4], "bbox_label": 1, "ignore_flag": 0, "mask": [outline]})
        return {"img_path": self.ann_file, "img_id": number, "width": width, "height": height, "instances": objects}


def build(dataset: Index, sampler: dict[str, Any], batch_sampler: dict[str, Any] | None, batch: int) -> Any:
    """mmengine's loader."""
    by = {"batch_sampler": batch_sampler} if batch_sampler else {}
    config = {"batch_size": batch, "num_workers": 0, "sampler": sampler, "dataset": dataset, **by}
    return Runner.build_dataloader(config, seed=0)


def seconds(act: Callable[[], Any]) -> float:
    """How long `act` takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def ours(make: Callable[[], Any], behind: int) -> float:
    """To the indices of the next batch."""
    earlier, loader = make(), placed(make(), waits=True)
    order = Order(earlier.batch_sampler)
    for _ in itertools.islice(order, behind):
        order.used()
    state = {**loader.state_dict(), "order": order.state_dict()}

    def go_on() -> None:
        loader.resume(state, middle=True)
        iter(loader)
        next(iter(loader.batch_sampler))

    return seconds(go_on)


def stock(loader: Any, behind: int) -> float:
    """Loading every batch again, from the time for some."""
    batches = iter(loader)
    next(batches)
    return seconds(lambda: [next(batches) for _ in range(TIMED)]) / TIMED * behind


def main() -> None:
    """Compare every case."""
    register_all_modules()
    table = Table("going on behind", "batches", "ours, seconds", "stock, seconds", "ratio")
    with tempfile.TemporaryDirectory() as folder:
        picture = pathlib.Path(folder, "picture.jpg")
        noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
        cv2.imwrite(str(picture), cv2.resize(noise, (640, 480)))
        dataset = Index(ann_file=str(picture), pipeline=PIPELINE)
        for name, (sampler, batch_sampler, batch, behind, repeats) in CASES.items():
            make = functools.partial(build, dataset, sampler, batch_sampler, batch)
            own = ours(make, behind)
            theirs = stock(make(), behind) if repeats else None
            row = (f"{theirs:,.0f} (from {TIMED} batches)", f"{own / theirs:.6f}") if theirs else ("other data", "")
            table.add_row(name, f"{behind:,}", f"{own:.2f}", *row)
    Console().print(table)


if __name__ == "__main__":
    main()
