"""Runs in fresh processes: each is forked from one that has imported everything and run nothing."""

from __future__ import annotations

import dataclasses
import gc
import importlib
import json
import multiprocessing
import os
import pathlib
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

import mmengine.config.config
import numpy as np
import torch
import yaml

from model_def.errors import MMDetTrialError
from model_def.zoo import zoo

PATIENCE = 10  # a run that computes nothing for so many times its limit hangs
FORK = multiprocessing.get_context("fork")
# What both runs import, the first ones as late as in their first iteration.
IMPORTED = (
    "torch._dynamo",
    "torch.utils.tensorboard",
    *(f"mmdet.{name}" for name in ("apis", "datasets", "engine", "evaluation", "models", "visualization")),
    "model_def.train",
    "tests.parity.recorder",
)


def import_everything() -> None:
    """Call it once, in the process to fork from. Only imports: nothing may run here that a run could notice."""
    for name in IMPORTED:
        importlib.import_module(name)
    torch.set_num_threads(1)
    # Every run prints its config several times; making that pretty would take a quarter of the time of all.
    mmengine.config.config.FormatCode = lambda text, **_: (text, True)
    gc.collect()
    gc.freeze()  # mmengine collects garbage for each data set: not through all of this


@dataclasses.dataclass(frozen=True, kw_only=True)
class End:
    """How a run ended. `kind` is `done`, `refused` (our own clear error), `failed` or `slow`; `text` says why."""

    kind: str
    text: str = ""


def run(function: Callable[..., Any], *args: Any, folder: pathlib.Path, name: str, seconds: int) -> End:
    """Call `function(*args)` in a process of its own, in `folder`; what it prints goes to `folder/<name>.log`.

    Args:
        seconds: how long it may compute; waiting on a busy machine doesn't count.
    """
    process = FORK.Process(target=_child, args=(function, args, folder, name, seconds))
    process.start()
    process.join(seconds * PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()
        return End(kind="slow", text=f"not done after {seconds * PATIENCE} s")
    if process.exitcode == -signal.SIGXCPU:
        return End(kind="slow", text=f"more than {seconds} s of computing")
    end = folder / f"{name}.end"
    if not end.exists():
        return End(kind="failed", text=f"the process died with exit code {process.exitcode}")
    return End(**json.loads(end.read_text()))


def _child(function: Callable[..., Any], args: tuple[Any, ...], folder: pathlib.Path, name: str, seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(folder)
    end = End(kind="done")
    try:
        function(*args)
    except MMDetTrialError as error:
        end = End(kind="refused", text=str(error))
    except BaseException as error:  # noqa: BLE001  # a zoo's config may raise anything
        traceback.print_exc()
        end = End(kind="failed", text=f"{type(error).__name__}: {error}")
    (folder / f"{name}.end").write_text(json.dumps(dataclasses.asdict(end)))
    sys.stdout.flush()


def train_ours(output: str) -> None:
    """Our run, in the directory of `experiment.yaml`: what `model_def train` does, less the picture at the end."""
    from model_def.experiment import load_experiment
    from model_def.train import train

    train(load_experiment(pathlib.Path("experiment.yaml")), output=pathlib.Path(output))


def train_stock(config_file: str, work_dir: str) -> None:
    """mmengine's run of the config that ours has written, as mmdet's own tools/train.py does it."""
    from mmengine.config import Config
    from mmengine.runner import Runner

    # Names that numpy has given up, and the lvis and Cityscapes packages still use; without them stock can't compare.
    np.float, np.in1d = float, np.isin
    config = Config.fromfile(config_file)
    config.work_dir = work_dir
    Runner.from_cfg(config).train()


def train_stock_alone(name: str, work_dir: str) -> None:
    """mmengine's run of what `prepare` wrote, merged by mmengine: for a config that ours refuses."""
    from mmengine.config import Config
    from mmengine.runner import Runner

    hyperparameters = yaml.safe_load(pathlib.Path("experiment.yaml").read_text())["hyperparameters"]
    config = Config.fromfile(zoo() / name)
    config.merge_from_dict(Config.fromfile("small.py").to_dict())
    config.merge_from_dict(hyperparameters["override_mmdet_config"])
    config.train_dataloader.batch_size = hyperparameters["global_batch_size"]
    config.work_dir = work_dir
    Runner.from_cfg(config).train()
