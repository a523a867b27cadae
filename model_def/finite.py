"""Stops training at the first loss that is not finite, naming the batch and its images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from model_def.errors import TrainingError


class FiniteLossHook(Hook):
    """Reads the losses that mmengine's RuntimeInfoHook has just logged as numbers: no extra synchronisation."""

    priority = "HIGH"  # behind the RuntimeInfoHook

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Check the iteration's losses.

        Raises:
            TrainingError: one is nan or infinite.
        """
        losses = {name: runner.message_hub.get_scalar(f"train/{name}").current() for name in outputs or {}}
        bad = [f"{name}={value}" for name, value in losses.items() if "loss" in name and not math.isfinite(value)]
        if not bad:
            return
        files = ", ".join(sorted(set(_image_files(data_batch)))) or "unknown"
        raise TrainingError(
            f"the loss is not finite at iteration {runner.iter + 1} (epoch {runner.epoch + 1}): {', '.join(bad)}\n"
            f"  images:  {files}\n"
            "  next:    lower the learning rate (optim_wrapper.optimizer.lr=…), clip gradients "
            "(optim_wrapper.clip_grad.max_norm=10), or look at these images' annotations"
        )


def _image_files(batch: Any) -> Iterator[str]:
    """The image paths of a batch, through the nesting of multi-branch (semi-supervised) data."""
    if isinstance(batch, dict):
        for part in batch.values():
            yield from _image_files(part)
    elif isinstance(batch, (list, tuple)):
        for part in batch:
            yield from _image_files(part)
    elif hasattr(batch, "img_path"):
        yield str(batch.img_path)
