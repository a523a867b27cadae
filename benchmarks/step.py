"""Our time per iteration over stock mmengine's `Runner.train()`, alternating in one run.

    python -m benchmarks.step [REPEATS]

Both train the quickstart's model on its data from the same resolved config, each time in a fresh process. mmengine's
own IterTimerHook takes the times of both; its first ten iterations (warm-up) are left out.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from rich.console import Console
from rich.table import Table

EXPERIMENT = "experiments/quickstart.yaml"
LENGTH = ("train_cfg.max_epochs=2", "train_cfg.val_interval=2", "scheduling_unit=10")
WARM_UP = 10  # iterations

STOCK = """
import sys, json
from mmengine.config import Config
from mmengine.runner import Runner
config = Config.fromfile(sys.argv[1])
config.work_dir = sys.argv[2]
runner = Runner.from_cfg(config)
runner.train()
scalars = {name: runner.message_hub.get_scalar(f"train/{name}").data[0].tolist() for name in ("time", "data_time")}
json.dump(scalars, open(sys.argv[2] + "/times.json", "w"))
"""


# For both: without it, stock mmengine is several times slower on a machine that has other work (see docs/decisions.md).
ENVIRONMENT = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}


def ours(folder: pathlib.Path) -> dict[str, float]:
    """Seconds an iteration and seconds waiting for data, by our command."""
    command = [sys.executable, "-m", "model_def", "train", EXPERIMENT, *LENGTH, "--output", str(folder)]
    subprocess.run(command, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    reports = [line for line in lines if line["group"] == "training" and line["steps_completed"] > WARM_UP]
    names = {"iter_time": "time", "data_time": "data_time"}
    return {short: statistics.mean(line["metrics"][name] for line in reports) for name, short in names.items()}


def stock(config: pathlib.Path, folder: pathlib.Path) -> dict[str, float]:
    """The same by stock mmengine."""
    folder.mkdir()
    command = [sys.executable, "-c", STOCK, str(config), str(folder)]
    subprocess.run(command, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    times = json.loads((folder / "times.json").read_text())
    return {name: statistics.mean(values[WARM_UP:]) for name, values in times.items()}


def main(repeats: int = 5) -> None:
    """Run both in turn and print the medians and the median of the pairs' ratios."""
    pairs = []
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(repeats):
            own = ours(pathlib.Path(scratch, f"ours{turn}"))
            theirs = stock(pathlib.Path(scratch, f"ours{turn}", "config.py"), pathlib.Path(scratch, f"stock{turn}"))
            pairs.append((own, theirs))
            print(
                f"{turn + 1}/{repeats}: ours {own['time']:.4f} s, stock {theirs['time']:.4f} s an iteration", flush=True
            )
    table = Table("", "ours", "stock", "ratio", title=f"{EXPERIMENT}: medians of {repeats} alternating runs")
    for name, label in (("time", "seconds an iteration"), ("data_time", "of these, waiting for data")):
        own, theirs = (statistics.median(pair[side][name] for pair in pairs) for side in (0, 1))
        ratio = statistics.median(pair[0][name] / pair[1][name] for pair in pairs)
        table.add_row(label, f"{own:.4f}", f"{theirs:.4f}", f"{ratio:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
