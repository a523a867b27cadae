"""A model whose parameters have a shape and no values: built in a tenth of a second, however large it is."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.data import DataLoader, Dataset

from model_def.compose.tree import dicts
from model_def.runner import ParkedRunner, build_runner
from model_def.weights import without_downloads

# Of a data loader: what only matters to its worker processes.
WORKERS = ("num_workers", "persistent_workers", "prefetch_factor", "timeout", "multiprocessing_context")


class Uninitialised(TorchFunctionMode):
    """Inside the block nothing writes into a parameter. Memory that is never written is never taken from the system."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Leave out functions such as `uniform_` and `nn.init.kaiming_uniform_` where they change a parameter."""
        given = kwargs or {}
        target = args[0] if args else given.get("tensor")
        name = getattr(func, "__name__", "")
        if isinstance(target, nn.Parameter) and _writes(name):
            return target
        return func(*args, **given)


def build_uninitialised(config: Config) -> nn.Module:
    """The model of a composed config, for whoever asks for shapes and sizes. Nothing is downloaded."""
    offline = _alone(without_downloads(config))
    model = copy.deepcopy(offline.model)
    if preprocessor := offline.get("data_preprocessor"):  # as mmengine's Runner does it
        model.setdefault("data_preprocessor", preprocessor)
    with DefaultScope.overwrite_default_scope(offline.get("default_scope", "mmdet")), Uninitialised():
        built: nn.Module = MODELS.build(model)
    return built


def parked(config: Config, *, work_dir: Path, values: bool, processes: int = 1) -> ParkedRunner:
    """A runner of a composed config that stands before its train loop. Nothing is downloaded, no worker is started.

    Args:
        config: complete; not changed.
        work_dir: where mmengine may write.
        values: whether the parameters are initialised: only then can the runner train.
        processes: whose parts of a batch this one takes, all of them: an epoch has as many batches as theirs.
    """
    offline = _in_process(_alone(without_downloads(config)))
    offline.train_dataloader.batch_size *= processes
    offline.pop("compile", None)
    with contextlib.nullcontext() if values else Uninitialised():
        runner = build_runner(offline, work_dir=work_dir, distributed=False)
        if not values:
            runner._init_model_weights = _nothing
        runner.park()
    return runner


def _alone(config: Config) -> Config:
    """For a single process: mmcv's own synchronised batch norm can't be built there; torch's has the same shapes."""
    tree = config.to_dict()
    for _, node in dicts(tree["model"]):
        if node.get("type") == "MMSyncBN":
            node["type"] = "SyncBN"
            node.pop("stats_mode", None)
    return Config(tree)


def _in_process(config: Config) -> Config:
    tree = config.to_dict()
    for loader in (tree[name] for name in ("train_dataloader", "val_dataloader") if tree.get(name)):
        build_dataloader(loader)
        for key in WORKERS:
            loader.pop(key, None)
        loader["num_workers"] = 0
    return Config(tree)


def build_dataloader(dataloader: dict[str, Any]) -> None:
    """Let torch say what is wrong with the workers; none is started. `building` knows mmengine's function of this name.

    Raises:
        ValueError: of torch.
    """
    nothing: list[Any] = []
    DataLoader(cast("Dataset[Any]", nothing), **{key: dataloader[key] for key in WORKERS if key in dataloader})


def _nothing() -> None:
    """Nothing is initialised."""


def _writes(name: str) -> bool:
    return name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
