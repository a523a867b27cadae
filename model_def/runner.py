"""A stock mmengine Runner that is left where its train loop would begin: Determined pumps the loop from there."""

from __future__ import annotations

import contextlib
import copy
import logging
import pathlib
import uuid
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn

from model_def.checkpoint_hook import is_translated
from model_def.compose.tree import dotted, walk
from model_def.errors import ConfigError
from model_def.loading.ahead import looking_ahead
from model_def.loading.loader import placed
from model_def.state.runner_state import unwrapped
from model_def.weights import LoadReport, Place, check_loadable, clean_file, download_errors, load_report
from model_def.weights.loaders import make_harmless
from model_def.weights.torchvision import register_without_torchvision


class _Parked(Exception):
    """Raised in place of the train loop's `run()`: the Runner is set up and waits."""


def _park() -> None:
    raise _Parked


class ParkedRunner(Runner):
    """mmengine's Runner, built as usual, whose `park()` does all of `train()` but the loop itself."""

    _resume_iter = 0
    _train_dataloader: Any  # mmengine's, whose type it does not say
    loaded: LoadReport | None = None  # how well the weights of `load_from` fitted
    weights_place = Place(where="load_from")  # where the user chose them

    def park(self, *, resume_iter: int = 0) -> None:
        """Run mmengine's own set-up in mmengine's own order, up to the moment where the train loop starts.

        Args:
            resume_iter: iterations that an earlier run has trained: the training data waits for its state.

        Raises:
            ConfigError: the config's train loop replaces `run`, so that nobody else can pump it.
        """
        self._resume_iter = resume_iter
        register_without_torchvision()
        with contextlib.suppress(_Parked), download_errors(self.cfg.to_dict()):
            self.train()

    def build_train_loop(self, loop: BaseLoop | dict[str, Any]) -> BaseLoop:
        """The configured loop, its `run()` replaced by parking."""
        config: Any = self._train_dataloader
        self._train_dataloader = self._placed_dataloader(config)
        built = super().build_train_loop(loop)
        self._train_dataloader = config  # `auto_scale_lr` reads the batch size there
        _refuse_foreign_loop(built)
        built.run = _park
        return built

    def _placed_dataloader(self, config: Any) -> Any:
        """What the loop would build, knowing its place."""
        diff_rank_seed = self._randomness_cfg.get("diff_rank_seed", False)
        dataloader = super().build_dataloader(config, seed=self.seed, diff_rank_seed=diff_rank_seed)
        return placed(dataloader, waits=self._resume_iter > 0)

    @staticmethod
    def build_dataloader(dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        """mmengine's loader; where it builds one (for validation), that fetches ahead what is in a store."""
        built = Runner.build_dataloader(dataloader, *args, **kwargs)
        return built if built is dataloader else looking_ahead(built)

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> Any:
        """mmengine's wrapping, without the `device_ids` that it always passes and that torch refuses on a CPU.

        Raises:
            ConfigError: SyncBN in several processes on a CPU, which torch can't run.
        """
        on_cpu = self.distributed and get_device() == "cpu"
        if on_cpu:
            stock = {
                "broadcast_buffers": False,
                "find_unused_parameters": self.cfg.get("find_unused_parameters", False),
            }
            model_wrapper_cfg = {**(model_wrapper_cfg or stock), "device_ids": None}
        wrapped = super().wrap_model(model_wrapper_cfg, model)
        if on_cpu and any(isinstance(module, nn.SyncBatchNorm) for module in wrapped.modules()):
            raise _sync_bn_on_cpu(self.cfg.to_dict())
        return wrapped

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """mmengine's loading (of `load_from`), for a file that runs no code and belongs to this model.

        Raises:
            WeightsError: it is no checkpoint, or one of another model.
        """
        if pathlib.Path(filename).is_file():
            filename = str(clean_file(pathlib.Path(filename)))
            content = torch.load(filename, weights_only=True, mmap=True)  # shapes alone: no number is read yet
            self.loaded = load_report(unwrapped(self.model), content["state_dict"])
            self.logger.info("\n".join([filename, *self.loaded.lines()]))
            check_loadable(self.loaded, source=content["meta"]["source"], place=self.weights_place)
        with download_errors(self.cfg.to_dict()):
            checkpoint: dict[str, Any] = super().load_checkpoint(filename, *args, **kwargs)
        return checkpoint

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """mmengine's logger; what is not a warning goes to its file alone, the terminal belongs to the progress."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.handleError = _raise  # type: ignore[method-assign]
            else:
                handler.setLevel(max(handler.level, logging.WARNING))
        return logger


def _sync_bn_on_cpu(config: dict[str, Any]) -> ConfigError:
    places = [dotted(path) for path, value in walk(config["model"], ("model",)) if value == "SyncBN"]
    override = " ".join(f"{place}=BN" for place in places) or "sync_bn=null"
    return ConfigError(
        what="torch synchronises batch statistics between GPUs only, and here are several processes on a CPU",
        value="SyncBN",
        where=", ".join(places) or "sync_bn",
        allowed="BN; or SyncBN on GPUs, or in one process, where mmengine takes BN for it",
        next=override,
    )


def _raise(record: logging.LogRecord) -> None:
    """In the place where logging would print a traceback and go on: a full disk ends the run."""
    raise  # what the handler has just caught


def build_runner(config: Config, *, work_dir: pathlib.Path, distributed: bool) -> ParkedRunner:
    """A runner for the composed config, with what Determined does in mmengine's place taken out.

    Args:
        config: complete; not changed.
        work_dir: where mmengine writes its log and its visualizer's files.
        distributed: whether the model is wrapped for several processes, which have been joined already.
    """
    make_harmless()
    config = copy.deepcopy(config)
    config.work_dir = str(work_dir)
    # mmengine keeps a logger, a message hub and a visualizer for each name: an earlier run of this process has its own.
    config.experiment_name = f"{config.get('experiment_name') or 'run'}-{uuid.uuid4().hex[:8]}"
    if config.get("visualizer"):
        config.visualizer.name = config.experiment_name
    config.launcher = "pytorch" if distributed else "none"
    hooks = config.setdefault("default_hooks", {})
    if is_translated(hooks.get("checkpoint")):
        hooks["checkpoint"] = None  # leaving it out would bring mmengine's own back
    runner: ParkedRunner = ParkedRunner.from_cfg(config)
    return runner


def _refuse_foreign_loop(loop: BaseLoop) -> None:
    """Only the loops whose iteration we know can be pumped: one with a `run` of its own would lose what that does."""
    for stock, methods in ((EpochBasedTrainLoop, ("run", "run_epoch")), (IterBasedTrainLoop, ("run",))):
        if isinstance(loop, stock) and all(getattr(type(loop), name) is getattr(stock, name) for name in methods):
            return
    raise ConfigError(
        what="this train loop has a `run` of its own, which Determined can't drive",
        value=type(loop).__name__,
        where="train_cfg.type",
        allowed="EpochBasedTrainLoop, IterBasedTrainLoop, or a subclass that keeps their run() and run_epoch()",
        next="put what run() adds into a custom hook (custom_hooks)",
    )
