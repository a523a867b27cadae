"""What our training costs over stock mmengine's `Runner.train()`, alternating in one run.

    python -m benchmarks.step [REPEATS]

A small and a large model are trained on the quickstart's data, by our command and from the config.py that it wrote by
stock mmengine, each time in a fresh process. With DEVICE=cuda the GPU is used, else it is hidden.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

DATA = (
    "hyperparameters.dataset.root=data/quickstart",
    "hyperparameters.dataset.train={ann_file: train.json, img_prefix: train/}",
    "hyperparameters.dataset.val={ann_file: val.json, img_prefix: val/}",
    "hyperparameters.dataset.classes=[tree]",
)
SMALL_PICTURES = tuple(
    f"{name}_dataloader.dataset.pipeline.{place}.scale=[128,128]" for name, place in (("train", 2), ("val", 1))
)
# The experiment, and what makes it short: a few epochs, a checkpoint after each, one validation at the end.
MODELS = {
    "small: the quickstart's RetinaNet-R18": (
        "experiments/quickstart.yaml", "train_cfg.max_epochs=4", "train_cfg.val_interval=4", "scheduling_unit=10",
        "schedule=keep",
    ),
    "large: Faster R-CNN R50, as the zoo has it": (
        "experiments/faster_rcnn/faster_rcnn_r50_fpn_1x_coco.yaml", *DATA, *SMALL_PICTURES,
        "hyperparameters.global_batch_size=2", "resources.slots_per_trial=1", "train_cfg.max_epochs=1", "schedule=keep",
        "train_dataloader.num_workers=0", "train_dataloader.persistent_workers=false",
        "val_dataloader.num_workers=0", "val_dataloader.persistent_workers=false",
        "model.backbone.init_cfg=null", "scheduling_unit=5", "train_dataloader.dataset.indices=40",
    ),
}  # fmt: skip
ROWS = {
    "step": "seconds an iteration",
    "data": "of these, waiting for data",
    "cpu": "CPU seconds an iteration",
    "start": "seconds from start to first step",
    "start_cpu": "CPU seconds from start to first step",
    "checkpoint": "seconds to save a checkpoint",
    "memory": "peak memory in MiB",
}
# For both: without the first, stock mmengine is several times slower on a machine that has other work; the last lets
# our files be compiled once, as the installed ones are.
ENVIRONMENT = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONDONTWRITEBYTECODE": ""}
if os.environ.get("DEVICE") != "cuda":
    ENVIRONMENT["CUDA_VISIBLE_DEVICES"] = ""


def run(side: str, folder: pathlib.Path, *arguments: str) -> dict[str, float]:
    """What one run of `benchmarks.side` costs."""
    result = folder.with_suffix(f".{side}.json")
    command = [sys.executable, "-m", "benchmarks.side", side, str(result), *arguments]
    environment = {**ENVIRONMENT, "BENCHMARK_STARTED": str(time.time())}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stdout}\n{done.stderr}")
    costs: dict[str, float] = json.loads(result.read_text())
    return costs


def pairs(arguments: tuple[str, ...], repeats: int) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """Ours and stock's costs of each turn; who begins changes, so that a machine that slows down favours nobody."""
    with tempfile.TemporaryDirectory() as scratch:
        config = pathlib.Path(scratch, "config.py")
        for turn in range(repeats):
            folder = pathlib.Path(scratch, str(turn))

            def ours(folder: pathlib.Path = folder) -> dict[str, float]:
                costs = run("ours", folder, *arguments, "--output", str(folder / "ours"))
                config.write_text((folder / "ours/config.py").read_text())
                return costs

            def stock(folder: pathlib.Path = folder) -> dict[str, float]:
                return run("stock", folder, str(config), str(folder / "stock"))

            folder.mkdir()
            own, theirs = (ours(), stock()) if turn % 2 == 0 else (stock(), ours())[::-1]
            yield own, theirs


def compare(model: str, arguments: tuple[str, ...], repeats: int) -> Table:
    """The medians of both, and the median of the pairs' ratios with its range."""
    measured = []
    for turn, (own, theirs) in enumerate(pairs(arguments, repeats), start=1):
        measured.append((own, theirs))
        print(f"{model}: {turn}/{repeats}: {own['step']:.4f} s against {theirs['step']:.4f} s a step", flush=True)
    table = Table("", "ours", "stock", "ratio", "of the pairs", title=f"{model}: {repeats} alternating pairs")
    for name, label in ROWS.items():
        own, theirs = (statistics.median(pair[side][name] for pair in measured) for side in (0, 1))
        ratios = sorted(pair[0][name] / pair[1][name] for pair in measured)
        scatter = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        table.add_row(label, f"{own:.4g}", f"{theirs:.4g}", f"{statistics.median(ratios):.3f}", scatter)
    return table


def main(repeats: int = 5) -> None:
    """Compare every model."""
    tables = [compare(model, arguments, repeats) for model, arguments in MODELS.items()]
    for table in tables:
        Console().print(table)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
