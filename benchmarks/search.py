"""What stopping early saves: `adaptive_asha` against `random` on the same trials, in batches of training.

    python -m model_def data digits
    python -m benchmarks.search [TRIALS]

Both searches draw the same learning rates and weight decays, so the best trial has the same numbers in both, to the
last bit, unless it was stopped.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

from rich.console import Console
from rich.table import Table

EXPERIMENT = "experiments/digits.yaml"
SPACE = (
    "optim_wrapper.optimizer.lr={type: log, base: 10, minval: -5, maxval: -2}",
    "optim_wrapper.optimizer.weight_decay={type: log, base: 10, minval: -4, maxval: -1}",
)
LENGTH = 9  # epochs of a whole trial
SHORT = (
    f"train_cfg.max_epochs={LENGTH}",
    "train_cfg.val_interval=1",
    "schedule=rescale",
    "train_dataloader.dataset.indices=96",
    "val_dataloader.dataset.indices=40",
)
ADAPTIVE = ("mode=aggressive", "divisor=3", "time_metric=epochs", f"max_time={LENGTH}")


def search(name: str, trials: int, folder: pathlib.Path) -> dict[str, Any]:
    """One search's batches, best metric and seconds."""
    fields = (f"name={name}", f"max_trials={trials}", *(ADAPTIVE if name == "adaptive_asha" else ()))
    arguments = [*SPACE, *SHORT, *(f"searcher.{field}" for field in fields)]
    start = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "model_def", "search", EXPERIMENT, *arguments, "--output", str(folder / name)],
        check=True,
    )
    return {**measured(folder / name / "search.jsonl"), "seconds": time.monotonic() - start}


def measured(events: pathlib.Path) -> dict[str, Any]:
    """The batches of all trials together, and the best trial and metric."""
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    validations = [line for line in lines if line["event"] == "validation"]
    batches = {line["trial"]: line["batches"] for line in validations}
    best = max(validations, key=lambda line: line["metrics"]["bbox_mAP"])
    return {"batches": sum(batches.values()), "best": best["metrics"]["bbox_mAP"], "trial": best["trial"]}


def main(trials: int) -> None:
    """Run both and print the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        sides = {name: search(name, trials, pathlib.Path(folder)) for name in ("random", "adaptive_asha")}
    table = Table("search", "trials", "batches", "best bbox_mAP", "of trial", "seconds")
    for name, side in sides.items():
        cells = (f"{side['batches']:,}", f"{side['best']!r}", str(side["trial"]), f"{side['seconds']:.0f}")
        table.add_row(name, str(trials), *cells)
    Console().print(table)
    ratio = sides["adaptive_asha"]["batches"] / sides["random"]["batches"]
    same = sides["adaptive_asha"]["best"] == sides["random"]["best"]
    print(f"batches: {ratio:.2f} of random's; the best metric is {'the same' if same else 'another'}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 27)
