"""What differs between the processes of one run, and what mmengine's own checkpoints leave out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.runner import Runner
from torch import nn

from model_def.optim import optim_wrappers
from model_def.rng import rng_state, set_rng_state
from model_def.state.attributes import Attributes
from model_def.state.hooks import hook_states, restore_hooks
from model_def.state.runner_state import unwrapped


class ProcessState:
    """The calling process's own part of a parked runner's state.

    Batch statistics belong to it: mmengine's DDP does not broadcast buffers, each process validates with its own. So
    do gradients that are still being accumulated, and what modules and hooks keep in plain attributes.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._model = unwrapped(runner.model)
        self._attributes = Attributes(self._model)

    def capture(self) -> dict[str, Any]:
        """Everything but the data loader's place, as plain data."""
        return {
            "rng": _random_numbers(),
            "buffers": [_cpu(dict(module.named_buffers())) for module in self._with_buffers()],
            "gradients": _cpu({name: each.grad for name, each in self._accumulating() if each.grad is not None}),
            "attributes": self._attributes.changed(),
            "hooks": hook_states(self._runner),
            "stop_training": self._runner.train_loop.stop_training,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put it back, but for the random numbers."""
        for module, buffers in zip(self._with_buffers(), state["buffers"], strict=True):
            for name, tensor in module.named_buffers():
                tensor.data.copy_(buffers[name])
        for name, parameter in self._model.named_parameters():
            if name in state["gradients"]:
                parameter.grad = state["gradients"][name].to(parameter.device)
        self._attributes.set(state["attributes"])
        restore_hooks(self._runner, state["hooks"])
        self._runner.train_loop.stop_training = state["stop_training"]

    def _with_buffers(self) -> list[nn.Module]:
        """The model, and the averages of it that EMAHooks keep."""
        averages = [hook.ema_model for hook in self._runner.hooks if hasattr(hook, "ema_model")]
        return [self._model, *averages]

    def _accumulating(self) -> list[tuple[str, nn.Parameter]]:
        """The parameters, if the optimizer is between two updates; else their gradients have been used."""
        between = any(not wrapper.should_update() for wrapper in optim_wrappers(self._runner.optim_wrapper).values())
        return list(self._model.named_parameters()) if between else []


def _cpu(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies: a validation may go on to change them, and be left."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def _random_numbers() -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    return {"cpu": rng_state(), "cuda": cuda}


def set_random_numbers(state: Mapping[str, Any]) -> None:
    """Put the `rng` of a captured state back: Python's, numpy's, torch's and (where there is one) the GPU's."""
    set_rng_state(state["cpu"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def plain_numpy_state(state: Any) -> tuple[Any, ...]:
    """numpy's generator state with its key as a list: `weights_only` refuses arrays, numpy itself accepts lists."""
    name, key, *rest = state
    return (name, [int(word) for word in key], *rest)
