"""Trains once, by our command or by stock mmengine, and writes what it cost as JSON: `benchmarks.step` compares them.

    python -m benchmarks.side ours COSTS.json EXPERIMENT.yaml [key=value …]
    python -m benchmarks.side stock COSTS.json CONFIG.py WORK_DIR

Both are timed by the same mmengine hook and by mmengine's own IterTimerHook. Two of them take turns: `benchmarks.turns`
lets one go on when the other has done a block of iterations.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.turns import wait_for_turn

# When the process was started, by the one who started it: importing belongs to the time to the first step.
STARTED = float(os.environ.get("BENCHMARK_STARTED", time.time()))
WARM_UP = 12  # iterations that are left out; a first report, which loads TensorBoard, is among them
BLOCK = 4  # iterations in a turn


class Costs:
    """What one run costs.

    Attributes:
        start, start_cpu: seconds, and CPU seconds, from the start of the process to its first step.
        steps, cpu, data: of each iteration, seconds, CPU seconds of the process, and seconds waiting for data.
        checkpoints: seconds of each saving.
    """

    def __init__(self) -> None:
        self.start = 0.0
        self.start_cpu = 0.0
        self.steps: list[float] = []
        self.cpu: list[float] = []
        self.data: list[float] = []
        self.checkpoints: list[float] = []

    def timed(self, save: Callable[..., Any]) -> Callable[..., Any]:
        """`save`, its time taken."""

        @functools.wraps(save)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return save(*args, **kwargs)
            finally:
                self.checkpoints.append(time.perf_counter() - start)

        return wrapper

    def write(self, path: str) -> None:
        """The means of blocks of iterations, and the peak of memory in MiB, of the GPU if one is used."""
        import torch

        gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
        memory = gpu / 2**20 or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        costs = {
            "step": _blocks(self.steps),
            "cpu": _blocks(self.cpu),
            "data": _blocks(self.data),
            "start": [self.start],
            "start_cpu": [self.start_cpu],
            "checkpoint": [statistics.mean(self.checkpoints)],
            "memory": [memory],
        }
        pathlib.Path(path).write_text(json.dumps(costs))


def _blocks(values: list[float]) -> list[float]:
    blocks = [values[first : first + BLOCK] for first in range(WARM_UP, len(values), BLOCK)]
    return [statistics.mean(block) for block in blocks if len(block) == BLOCK]


def probe(costs: Costs) -> Any:
    """A hook that fills `costs`, and that waits for its turn after each block."""
    import torch
    from mmengine.hooks import Hook

    class Probe(Hook):
        waited, clock = 0.0, 0.0

        def before_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
            costs.start = costs.start or time.time() - STARTED
            costs.start_cpu = costs.start_cpu or time.process_time()

        def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
            clock = time.process_time()
            scalars = runner.message_hub.log_scalars
            costs.steps.append(scalars["train/time"].current() - self.waited)
            costs.data.append(scalars["train/data_time"].current() - self.waited)
            costs.cpu.append(clock - self.clock)
            self.waited, self.clock = 0.0, clock
            if len(costs.steps) % BLOCK == 0:
                self.waited = self._wait()

        def _wait(self) -> float:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            return wait_for_turn()

    return Probe()


def ours(costs: Costs, arguments: list[str]) -> None:
    """`python -m model_def train`."""
    from model_def.garbage import uncollected

    with uncollected(modules=True):  # as the command imports them
        from model_def import cli, controller, runner

    park = runner.ParkedRunner.park

    def probed(self: Any, **kwargs: Any) -> None:
        self.register_hook(probe(costs), priority="LOWEST")
        park(self, **kwargs)

    runner.ParkedRunner.park = probed  # type: ignore[method-assign]
    controller._Controller._checkpoint = costs.timed(controller._Controller._checkpoint)  # type: ignore[method-assign]
    if code := cli.main(["train", *arguments]):
        raise SystemExit(code)


def stock(costs: Costs, config_file: str, work_dir: str) -> None:
    """What mmdet's own training script does."""
    from mmengine.config import Config
    from mmengine.runner import Runner

    config = Config.fromfile(config_file)
    config.work_dir = work_dir
    runner = Runner.from_cfg(config)
    runner.register_hook(probe(costs), priority="LOWEST")
    runner.save_checkpoint = costs.timed(runner.save_checkpoint)
    runner.train()


def main(side: str, path: str, *arguments: str) -> None:
    """Run one side."""
    costs = Costs()
    if side == "ours":
        ours(costs, list(arguments))
    else:
        stock(costs, *arguments)
    costs.write(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
