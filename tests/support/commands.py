"""Runs the commands that a user types, in processes of their own with everything that matters for equality fixed."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import yaml

REPO = pathlib.Path(__file__).parents[2]

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(REPO),
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "COLUMNS": "120",
}

# Wall-clock figures: the only ones that two equal runs may differ in.
CLOCKS = ("data_time", "iter_time", "step_time", "samples_per_second", "memory")


def yaml_writer(folder: pathlib.Path) -> Callable[..., pathlib.Path]:
    """Writes a dict as an experiment YAML in `folder` and returns its path."""

    def write(content: dict[str, Any], name: str = "experiment.yaml") -> pathlib.Path:
        path = folder / name
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return write


def run(*command: str, cwd: pathlib.Path, code: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command; `code` is the exit code that it must have (None: any)."""
    done = subprocess.run(
        command, cwd=cwd, env={**ENVIRONMENT, **environment}, capture_output=True, text=True, timeout=600, check=False
    )
    if code is not None:
        assert done.returncode == code, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def model_def(*arguments: str, cwd: pathlib.Path, code: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
    """`python -m model_def …`."""
    return run(sys.executable, "-m", "model_def", *arguments, cwd=cwd, code=code, **env)


def torchrun_command(processes: int) -> list[str]:
    """`torchrun --nproc-per-node N -m model_def`."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [*launcher, "-m", "model_def"]


def torchrun(processes: int, *arguments: str, cwd: pathlib.Path, code: int | None = 0) -> Any:
    """Run our command in several processes."""
    return run(*torchrun_command(processes), *arguments, cwd=cwd, code=code)


def stock(config: pathlib.Path, work_dir: pathlib.Path, *, cwd: pathlib.Path) -> list[dict[str, Any]]:
    """Train a resolved config with stock mmengine; what it computed, as `metrics` returns it."""
    work_dir.mkdir(parents=True)
    run(sys.executable, str(REPO / "tests/support/stock.py"), str(config), str(work_dir), cwd=cwd)
    return metrics(work_dir / "stock.jsonl")


def as_stock(path: pathlib.Path) -> list[dict[str, Any]]:
    """The lines of a metrics file that stock mmengine has too: not those of each class."""
    return [line for line in metrics(path) if line["group"] != "per_class_AP"]


def metrics(path: pathlib.Path) -> list[dict[str, Any]]:
    """The lines of a metrics file, without clocks and without our own `epoch`."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line.pop("epoch", None)
        for name in CLOCKS:
            line["metrics"].pop(name, None)
    return lines
