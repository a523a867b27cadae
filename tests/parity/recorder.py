"""What a training computes, as lines of text that two runs can be compared by.

The hook comes into both runs by the config itself (`custom_imports`, `custom_hooks`) and writes
`<work_dir>/record.jsonl`. Floats are written with all their digits: equal lines mean equal bits.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.registry import HOOKS
from mmengine.structures import BaseDataElement

RECORD = "record.jsonl"


@HOOKS.register_module()
class ParityRecorder(Hook):
    """Records batches, losses, learning rates, momenta, gradient norms, predictions, metrics and the last weights."""

    priority = "LOWEST"

    def before_train(self, runner):
        self.stream = pathlib.Path(runner.work_dir, RECORD).open("w")  # noqa: SIM115  # lives as long as the training
        wrapper = runner.optim_wrapper
        wrappers = dict(wrapper.items()) if isinstance(wrapper, OptimWrapperDict) else {"optimizer": wrapper}
        for name, one in wrappers.items():
            one.optimizer.register_step_pre_hook(lambda optimizer, *_, name=name: self.step(name, optimizer))
        self.write(start=digest(runner.model.state_dict()))

    def step(self, name, optimizer):
        """What an optimizer is about to do."""
        norms = [p.grad.norm() for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        momenta = [group.get("momentum", group.get("betas")) for group in optimizer.param_groups]
        self.write(
            step=name,
            gradient_norm=float(torch.stack(norms).norm()) if norms else None,
            lr=_runs([group["lr"] for group in optimizer.param_groups]),
            momentum=_runs(momenta),
        )

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.write(iteration=runner.iter + 1, epoch=runner.epoch, batch=digest(data_batch))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        losses = {name: float(value) for name, value in outputs.items()}
        logged = {
            name.removeprefix("train/"): buffer.current()
            for name, buffer in runner.message_hub.log_scalars.items()
            if name in ("train/grad_norm", "train/lr")
        }
        self.write(after=runner.iter + 1, losses=losses, logged=logged)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.write(predicted=batch_idx, at=runner.iter, outputs=digest(outputs))

    def after_val_epoch(self, runner, metrics=None):
        self.write(validation=runner.iter, metrics={name: _number(value) for name, value in metrics.items()})

    def after_run(self, runner):
        self.write(end=runner.iter, weights=digest(runner.model.state_dict()))
        self.stream.close()

    def write(self, **line):
        print(json.dumps(line), file=self.stream, flush=True)


def digest(value: Any) -> str:
    """A hash of all tensors, arrays, numbers and words inside of `value`."""
    found = hashlib.sha256()
    for part in _bytes(value):
        found.update(part)
    return found.hexdigest()[:16]


def _bytes(value: Any) -> Iterator[bytes]:
    if isinstance(value, torch.Tensor):
        yield from _bytes(value.detach().cpu().contiguous().numpy())
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key).encode()
            yield from _bytes(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _bytes(item)
    elif isinstance(value, BaseDataElement):
        yield from _bytes(dict(sorted(value.all_items())))
    elif hasattr(value, "tensor") or hasattr(value, "masks"):  # mmdet's boxes and masks
        yield from _bytes(getattr(value, "tensor", None))
        yield from _bytes(getattr(value, "masks", None))
    elif isinstance(value, str | int | float | bool | None):
        yield repr(value).encode()


def _runs(values: list[Any]) -> list[Any]:
    """`[[value, how many groups in a row have it], …]`: DETRs have hundreds of groups."""
    runs: list[Any] = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1][1] += 1
        else:
            runs.append([value, 1])
    return runs


def _number(value: Any) -> Any:
    return float(value) if hasattr(value, "__float__") else str(value)
