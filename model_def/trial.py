"""The Determined trial: it hosts a parked mmengine Runner and delegates to it."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from determined import pytorch

from model_def.building import first_step
from model_def.compose.write import config_text
from model_def.errors import WeightsError
from model_def.evaluate.validation import ValidationReducer
from model_def.finite import FiniteLossHook
from model_def.loop import pump
from model_def.runner import ParkedRunner
from model_def.state.plain import json_number, plain
from model_def.state.process import ProcessState, plain_numpy_state, set_random_numbers
from model_def.state.runner_state import capture, restore
from model_def.training_metrics import TrainingReducer


class _Parked:
    """Stands in Determined's lists of models and optimizers: the Runner owns the real ones, their modes and state."""

    def train(self) -> None:
        """The loop does this at its own moments."""

    def eval(self) -> None:
        """The validation loop does this."""

    def state_dict(self) -> dict[str, Any]:
        """Empty: see `MMDetCallback`."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to load."""


class MMDetTrial(pytorch.PyTorchTrial):
    """Trains any MMDetection 3.x model as mmengine's `Runner.train()` would, batch by batch under Determined.

    Args:
        context: Determined's.
        runner: the Runner to host.
        stop_pending: asked after batches, on every process, whether to stop soon. It may be a collective.

    Attributes:
        last_validation: `steps_completed` and `metrics` of the last one, as JSON holds them; empty before the first.
        arrived: called once where a resumed checkpoint was taken, its random numbers in place, before anything else.
    """

    last_validation: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        context: pytorch.PyTorchTrialContext,
        runner: ParkedRunner,
        *,
        stop_pending: Callable[[], bool] = lambda: False,
    ) -> None:
        self.context = context
        self.stop_pending = stop_pending
        self.arrived: Callable[[], None] = lambda: None
        context.experimental.disable_dataset_reproducibility_checks()
        context.experimental.disable_auto_to_device()
        self.runner = runner
        self._stepped = False
        runner.register_hook(FiniteLossHook())
        runner.park(resume_iter=context._steps_completed)
        self.pump = pump(runner)
        context.models.append(_Parked())  # type: ignore[arg-type]
        context.optimizers.append(_Parked())  # type: ignore[arg-type]
        training = TrainingReducer(runner, global_batch_size=context.get_global_batch_size())
        context.wrap_reducer(training, for_validation=False)
        validation = ValidationReducer(runner, fast=runner.fast_evaluation, stop_pending=stop_pending)
        self.validation = context.wrap_reducer(validation, for_training=False)

    def build_training_data_loader(self) -> Iterable[Any]:  # type: ignore[override]  # only iterated and measured
        """The loop's own batches, for as long as it trains."""
        return self.pump

    def build_validation_data_loader(self) -> torch.utils.data.DataLoader[int]:
        """A single item: one of Determined's validation batches is one whole run of mmengine's validation loop."""
        # An own generator: each pass over a DataLoader draws a seed, which must not come from the training's.
        return torch.utils.data.DataLoader([0], generator=torch.Generator())  # type: ignore[arg-type]

    def train_batch(self, batch: Any, epoch_idx: int, batch_idx: int) -> dict[str, Any]:
        """One iteration. Its losses are reported by the reducer, once for many batches.

        Returns:
            The seconds of this step: something must be returned, Determined can't average nothing over processes.
        """
        start = time.perf_counter()
        with contextlib.nullcontext() if self._stepped else first_step():
            self.pump.step(batch)
        self._stepped = True
        self._pass_on_early_stop()
        return {"step_time": time.perf_counter() - start}

    def evaluate_batch(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """One validation. Its metrics are reported by the reducer."""
        self.validation.validate()
        self._pass_on_early_stop()
        return {}

    def _pass_on_early_stop(self) -> None:
        """Tell Determined when a hook has ended training before its length (the EarlyStoppingHook does)."""
        if self.pump.finished and self.runner.iter < self.runner.max_iters:
            self.context.set_stop_requested(True)

    def get_batch_length(self, batch: Any) -> int:
        """Determined logs this only."""
        return 1

    def build_callbacks(self) -> dict[str, pytorch.PyTorchCallback]:
        """Saves and loads the Runner with Determined's checkpoints."""
        return {"mmengine": MMDetCallback(self)}


class MMDetCallback(pytorch.PyTorchCallback):
    """Puts the Runner's state into Determined's checkpoint and takes it out again."""

    def __init__(self, trial: MMDetTrial) -> None:
        self._trial = trial
        self._process = ProcessState(trial.runner)
        self._before: dict[str, Any] | None = None  # this process before the validation that is running
        self._processes: list[dict[str, Any]] = []
        self._captured: dict[str, Any] = {}

    def gather(self) -> None:
        """Collect every process's own state, before the chief saves. All processes must call it."""
        own = {**(self._before or self._process.capture()), "data": self._trial.pump.state_dict()}
        self._processes = self._trial.context.distributed.allgather(plain(own, where="process"))

    def state_dict(self) -> dict[str, Any]:
        """The Runner's state and every process's own."""
        self._captured = capture(self._trial.runner, config_text=self._config_text)
        validation = dict(self._trial.last_validation)
        return {"runner": self._captured, "processes": self._processes, "validation": validation}

    @functools.cached_property
    def _config_text(self) -> str:
        return config_text(self._trial.runner.cfg)

    def on_validation_start(self) -> None:
        """Keep what the validation may change: if it is left in the middle, it has not been."""
        self._before = self._process.capture()

    def on_validation_end(self, metrics: dict[str, Any]) -> None:
        """Keep them for the checkpoints that follow."""
        self._before = None
        values = {name: json_number(value) for name, value in metrics.items()}
        self._trial.last_validation = {"steps_completed": self._trial.runner.iter, "metrics": values}

    def on_checkpoint_save_start(self, checkpoint: dict[str, Any]) -> None:
        """Make Determined's own part loadable with `weights_only` as well."""
        rng = checkpoint["rng_state"]
        rng["np_rng_state"] = plain_numpy_state(rng["np_rng_state"])

    def on_checkpoint_write_end(self, checkpoint_dir: str) -> None:
        """Write `model.pth`: what mmdet's `init_detector` reads, with the weights that validation used."""
        weights = {name: self._captured[name] for name in ("meta", "state_dict")}
        torch.save(weights, pathlib.Path(checkpoint_dir, "model.pth"))
        self._captured = {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the Runner now, and this process's random numbers at the loop's right moment.

        Raises:
            WeightsError: the checkpoint is one of another model, of other data, or of another number of processes.
        """
        distributed = self._trial.context.distributed
        _check_same_processes(len(state["processes"]), distributed.size)
        own = state["processes"][distributed.rank]
        restore(self._trial.runner, state["runner"])
        self._trial.last_validation = state.get("validation", {})
        self._process.restore(own)

        def arrived() -> None:
            set_random_numbers(own["rng"])
            self._trial.arrived()

        self._trial.pump.resume(own["data"], arrived=arrived)

    def on_training_start(self) -> None:
        """The state is in place: the loop may begin."""
        self._trial.pump.begin()


def _check_same_processes(saved: int, size: int) -> None:
    if saved != size:
        raise WeightsError(
            what="the checkpoint was written by another number of processes, so its run can't be continued exactly",
            value=saved,
            allowed=f"a checkpoint of {size} processes",
            next=f"resume with {saved} processes (torchrun --nproc-per-node {saved}), or start a new run from its "
            "weights: use_pretrained=PATH/model.pth",
        )
