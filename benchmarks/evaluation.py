"""COCO and LVIS evaluation: our time over pycocotools' and lvis', side by side, and whether every digit is equal.

    python -m benchmarks.evaluation [KIND ...] [--images 5000] [--detections 500000] [--repeats 1]

KIND is bbox, segm or lvis (default: all). Timed is a metric's whole `evaluate`: writing the results, loading them,
matching, counting, summary; and the last three alone, the evaluator. Ground truth is loaded before. The seconds are
the process's CPU time, all its threads together, so that other work on the machine matters less.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import torch
from lvis import LVISEval
from mmdet.evaluation import CocoMetric, LVISMetric
from mmengine.evaluator import BaseMetric
from pycocotools import mask as masks
from pycocotools.cocoeval import COCOeval
from rich.console import Console
from rich.table import Table

from model_def.evaluate.evaluators import FastCOCOeval, FastLVISEval, StockLVISEval
from model_def.evaluate.exact import RoundedMetric, keep_exact

CLASSES, SIZE, TRUTHS = 80, 640, 7  # TRUTHS: an image, as in COCO
KINDS = ("bbox", "segm", "lvis")


def ground_truth(images: int, random: np.random.Generator) -> dict[str, Any]:
    """A COCO and LVIS file: boxes of 8 to 300 pixels, masks as rectangles less a corner."""
    annotations = []
    for image in range(images):
        for box in boxes(TRUTHS, random):
            annotations.append({
                "id": len(annotations) + 1, "image_id": image, "category_id": int(random.integers(CLASSES)) + 1,
                "bbox": box, "area": 0.7 * box[2] * box[3], "iscrowd": 0, "segmentation": rle(box),
            })  # fmt: skip
    every = range(1, CLASSES + 1)
    categories = [{"id": each, "name": f"class {each - 1}", "frequency": "rcf"[each % 3]} for each in every]
    shown = {"width": SIZE, "height": SIZE, "neg_category_ids": [*every], "not_exhaustive_category_ids": [*every[::9]]}
    pictures = [{"id": image, **shown} for image in range(images)]
    return {"images": pictures, "annotations": annotations, "categories": categories, "info": {}}


def boxes(count: int, random: np.random.Generator) -> list[list[float]]:
    """(x, y, width, height) in pixels, the sides from 8 to 300."""
    sides = np.exp(random.uniform(np.log(8), np.log(300), (count, 2)))
    corners = random.uniform(0, SIZE - sides)
    found: list[list[float]] = np.hstack([corners, sides]).astype(np.float32).tolist()
    return found


def rle(box: list[float]) -> dict[str, Any]:
    """The mask of a box less a corner."""
    x, y, width, height = box
    corners = [x, y, x + width, y, x + width, y + height / 2, x + width / 2, y + height, x, y + height]
    encoded = masks.merge(masks.frPyObjects([corners], SIZE, SIZE))
    return {**encoded, "counts": encoded["counts"].decode()}


def predictions(truth: dict[str, Any], each: int, random: np.random.Generator, *, segm: bool) -> list[Any]:
    """What a metric has collected: per image `each` detections, the truths shifted a little among them."""
    collected: list[Any] = []
    by_image: dict[int, list[Any]] = {image["id"]: [] for image in truth["images"]}
    for annotation in truth["annotations"]:
        by_image[annotation["image_id"]].append(annotation)
    for image, known in by_image.items():
        found = boxes(each, random)
        labels = random.integers(CLASSES, size=each)
        for index, annotation in enumerate(known * 3):
            found[index] = (np.array(annotation["bbox"]) * random.normal(1, 0.05, 4)).astype(np.float32).tolist()
            labels[index] = annotation["category_id"] - 1
        corners = np.array(found, dtype=np.float32)
        corners[:, 2:] += corners[:, :2]
        scores = random.random(each).astype(np.float32)
        result = {"img_id": image, "bboxes": corners, "scores": scores, "labels": labels}
        if segm:
            result["masks"] = [rle(box) for box in found]
        collected.append(({"img_id": image, "width": SIZE, "height": SIZE}, result))
    return collected


class Clock:
    """CPU seconds that this process spends in the evaluators' methods."""

    def __init__(self) -> None:
        self.seconds, self._depth = 0.0, 0

    def wrap(self, method: Callable[..., None]) -> Callable[..., None]:
        def clocked(*arguments: Any) -> None:
            start = time.process_time()
            self._depth += 1
            try:
                method(*arguments)
            finally:
                self._depth -= 1
                self.seconds += time.process_time() - start if not self._depth else 0

        return clocked


@contextlib.contextmanager
def clock() -> Iterator[Clock]:
    """Watch the evaluators, ours and theirs."""
    watch = Clock()
    with contextlib.ExitStack() as stack:
        for cls in (COCOeval, FastCOCOeval, LVISEval, StockLVISEval, FastLVISEval):
            for name in {"evaluate", "accumulate", "summarize"} & vars(cls).keys():
                stack.enter_context(mock.patch.object(cls, name, watch.wrap(vars(cls)[name])))
        yield watch


def evaluated(metric: BaseMetric, results: list[Any], *, fast: bool) -> tuple[float, float, dict[str, float]]:
    """CPU seconds in all and in the evaluator, and the exact metrics."""
    metric.dataset_meta = {"classes": tuple(f"class {index}" for index in range(CLASSES))}
    keep_exact(metric, fast=fast)
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), clock() as watch:
        metrics = metric.compute_metrics(results)
    exact = {name: value.exact for name, value in metrics.items() if isinstance(value, RoundedMetric)}
    return time.process_time() - start, watch.seconds, exact


def compared(kind: str, truth: pathlib.Path, results: list[Any], repeats: int) -> Iterator[tuple[str, ...]]:
    """Rows of the table."""
    runs: dict[bool, list[tuple[float, float, dict[str, float]]]] = {True: [], False: []}
    for _ in range(repeats):
        for fast in (True, False):
            with contextlib.redirect_stdout(io.StringIO()):
                metric = LVISMetric(str(truth)) if kind == "lvis" else CocoMetric(str(truth), metric=kind)
            runs[fast].append(evaluated(metric, results, fast=fast))
            print(kind, "ours " if fast else "stock", *runs[fast][-1], flush=True)
    same = "equal" if runs[True][0][2] == runs[False][0][2] else "differ"
    for index, part in enumerate(("the metric", "its evaluator")):
        ours, stock = (statistics.median(run[index] for run in runs[fast]) for fast in (True, False))
        yield kind, part, f"{ours:.1f}", f"{stock:.1f}", f"{stock / ours:.1f}", same


def main() -> None:
    """Run both in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", default=KINDS)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--detections", type=int, default=500_000)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    truth = ground_truth(options.images, random)
    heads = ("", "", "ours, s", "stock, s", "stock / ours", "digits")
    table = Table(*heads, title=f"{options.images:,} images, {CLASSES} classes, {options.detections:,} detections")
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch, "truth.json")
        path.write_text(json.dumps(truth))
        for kind in options.kinds:
            results = predictions(truth, options.detections // options.images, random, segm=kind == "segm")
            for row in compared(kind, path, results, options.repeats):
                table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
