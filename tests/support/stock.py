"""Trains a resolved config with stock mmengine and mmdet alone, and records what it computes.

    python stock.py CONFIG.py WORK_DIR

Writes `WORK_DIR/stock.jsonl`: a line for each iteration and each validation. Nothing of model_def is imported.
"""

from __future__ import annotations

import json
import sys

from mmdet.evaluation.metrics import coco_metric
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner


class Unrounded(float):
    """A statistic that mmdet's `f"{value:.3f}"` leaves whole."""

    def __format__(self, spec):
        return repr(float(self))


class UnroundedCOCOeval(coco_metric.COCOeval):
    """pycocotools' evaluation with such statistics."""

    def summarize(self):
        super().summarize()
        self.stats = [Unrounded(value) for value in self.stats]


class Recorder(Hook):
    """Records losses, learning rates and metrics, after every other hook."""

    priority = "LOWEST"

    def __init__(self, path: str) -> None:
        self.stream = open(path, "a")  # noqa: SIM115  # lives as long as the process

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        metrics = {name: float(value) for name, value in outputs.items()}
        for name in ("lr", "base_lr", "grad_norm"):
            if f"train/{name}" in runner.message_hub.log_scalars:
                metrics[name] = runner.message_hub.get_scalar(f"train/{name}").current()
        self.write("training", runner.iter + 1, metrics)

    def after_val_epoch(self, runner, metrics=None):
        self.write("validation", runner.iter, {name.split("/")[-1]: value for name, value in metrics.items()})

    def write(self, group, steps, metrics):
        line = {"group": group, "steps_completed": steps, "metrics": metrics}
        print(json.dumps(line, default=float), file=self.stream, flush=True)


def unround() -> None:
    """Compare all digits; what the hooks see is another test's matter."""
    coco_metric.round = lambda value, digits: value
    coco_metric.COCOeval = UnroundedCOCOeval


def main(config_file: str, work_dir: str) -> None:
    """Train as mmdet's own tools/train.py does."""
    unround()
    config = Config.fromfile(config_file)
    config.work_dir = work_dir
    runner = Runner.from_cfg(config)
    runner.register_hook(Recorder(f"{work_dir}/stock.jsonl"))
    runner.train()


if __name__ == "__main__":
    main(*sys.argv[1:])
