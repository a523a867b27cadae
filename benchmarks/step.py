"""What our training costs over stock mmengine's `Runner.train()`, both at once and taking turns.

    python -m benchmarks.step [REPEATS]

A small and a large model are trained on the quickstart's data, by our command and from the config.py that it wrote by
stock mmengine, each time in a fresh process. A few iterations of one, then the same of the other make a pair: the
machine's own speed changes from minute to minute. With DEVICE=cuda the GPU is used, else it is hidden.
"""

from __future__ import annotations

import json
import operator
import os
import pathlib
import statistics
import sys
import tempfile
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from benchmarks.turns import in_turns, quartiles

Costs = dict[str, list[float]]

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


def pairs(arguments: tuple[str, ...], repeats: int) -> Iterator[tuple[Costs, Costs]]:
    """Ours and stock's costs of each turn; who begins changes."""
    with tempfile.TemporaryDirectory() as scratch:
        config = pathlib.Path(scratch, "0/ours/config.py")  # the first of ours writes it before stock begins
        for turn in range(repeats):
            folder = pathlib.Path(scratch, str(turn))
            folder.mkdir()
            ours = _side("ours", folder, *arguments, "--output", str(folder / "ours"))
            stock = _side("stock", folder, str(config), str(folder / "stock"))
            both = (ours, stock) if turn % 2 == 0 else (stock, ours)
            in_turns(*both, environment=ENVIRONMENT, folder=folder)
            yield _costs(folder, "ours"), _costs(folder, "stock")


def _side(side: str, folder: pathlib.Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.side", side, str(folder / f"{side}.json"), *arguments]


def _costs(folder: pathlib.Path, side: str) -> Costs:
    costs: Costs = json.loads((folder / f"{side}.json").read_text())
    return costs


def compare(model: str, arguments: tuple[str, ...], repeats: int) -> Table:
    """The medians of both, and the median of the pairs' ratios with their quartiles."""
    measured = []
    for turn, (own, theirs) in enumerate(pairs(arguments, repeats), start=1):
        measured.append((own, theirs))
        ratio = statistics.median(map(operator.truediv, own["step"], theirs["step"]))
        print(f"{model}: {turn}/{repeats}: {ratio:.3f} of stock's step", flush=True)
    table = Table("", "ours", "stock", "ratio", "of the pairs", "pairs", title=f"{model}: {repeats} runs in turns")
    for name, label in ROWS.items():
        columns = [[value for pair in measured for value in pair[side][name]] for side in (0, 1)]
        ratios = [*map(operator.truediv, *columns)]
        low, middle, high = quartiles(ratios)
        medians = [f"{statistics.median(column):.4g}" for column in columns]
        table.add_row(label, *medians, f"{middle:.3f}", f"{low:.2f} to {high:.2f}", str(len(ratios)))
    return table


def main(repeats: int = 5) -> None:
    """Compare every model."""
    tables = [compare(model, arguments, repeats) for model, arguments in MODELS.items()]
    for table in tables:
        Console().print(table)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
