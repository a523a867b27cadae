"""One step of training and one prediction, for `check --run`: does it go through, how long, how much memory."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import torch
from mmengine.device import get_device

from model_def.building import first_step
from model_def.finite import FiniteLossHook
from model_def.loop import pump
from model_def.memory import in_words
from model_def.peak_memory import peak_memory
from model_def.runner import ParkedRunner

FEW = 2  # images that a CPU is given; batch statistics need more than one


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneStep:
    """What was measured.

    Attributes:
        images, batch: how many were used, and how many a process trains on at once.
        loss: the sum.
        step, predict: seconds of forward, backward and update, and of a prediction for the same number of images.
        peak: bytes of GPU memory, or of this whole process.
        device: `cpu`, `cuda`, …
    """

    images: int
    batch: int
    loss: float
    step: float
    predict: float
    peak: int
    device: str

    def __str__(self) -> str:
        """One line for each of what was used, what it took and what it needed."""
        some = f"{self.images}" if self.images == self.batch else f"{self.images} of a batch's {self.batch}"
        where = "of this process" if self.device == "cpu" else f"on the {self.device} device"
        return (
            f"on {some} images, on the {self.device}: loss {self.loss:.4g}\n"
            f"{self.step:.2f} s forward, backward and update; {self.predict:.2f} s to predict\n"
            f"{in_words(self.peak)} at the peak {where}"
        )


def one_step(runner: ParkedRunner) -> OneStep:
    """Train on the runner's first batch and predict on it: of a CPU on its first images only, to stay short.

    Raises:
        ConfigError: the model can't be trained on a batch, or can't predict.
        DataError: an image can't be read.
        TrainingError: the loss is not finite.
    """
    device = get_device()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    runner.register_hook(FiniteLossHook())
    pumped = pump(runner)
    pumped.begin()
    whole = next(iter(pumped))
    batch = _few(whole) if device == "cpu" else whole
    with first_step():
        started = time.perf_counter()
        pumped.step(batch)
        _wait(device)
        step, started = time.perf_counter() - started, time.perf_counter()
        _predict(runner, batch)
        _wait(device)
    return OneStep(
        images=_count(batch),
        batch=_count(whole),
        loss=float(runner.message_hub.get_scalar("train/loss").current()),
        step=step,
        predict=time.perf_counter() - started,
        peak=peak_memory(),
        device=device,
    )


def _predict(runner: ParkedRunner, batch: Any) -> None:
    """On a batch of the validation set, or of the training set where there is none."""
    if runner.val_loop is not None:
        found = next(iter(runner.val_loop.dataloader))
        batch = _few(found) if get_device() == "cpu" else found
    runner.model.eval()
    with torch.no_grad():
        runner.model.val_step(batch)


def _few(batch: Any) -> Any:
    """The first images of a batch as mmengine collates it; one of several branches stays whole."""
    inputs = batch.get("inputs") if isinstance(batch, dict) else None
    if not isinstance(inputs, list | tuple | torch.Tensor):
        return batch
    return {name: part[:FEW] for name, part in batch.items()}


def _count(batch: Any) -> int:
    inputs = batch.get("inputs") if isinstance(batch, dict) else None
    if isinstance(inputs, dict):
        inputs = next(iter(inputs.values()))
    return len(inputs) if isinstance(inputs, list | tuple | torch.Tensor) else 1


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
