"""What training keeps in memory from its first step to its last, known from shapes alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from mmengine.hooks import EMAHook
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn
from torch.optim import Optimizer

from model_def.compose.components import classes_of
from model_def.optim import optim_wrappers

_STEP_FAILS = (ArithmeticError, AttributeError, KeyError, RuntimeError, TypeError, ValueError)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes in each process. `optimizer` is None if its state can't be told before it has run.

    Attributes:
        parameters, buffers: the model's.
        gradients: one number for each trained parameter.
        optimizer: momenta and the like.
        averages: the copy that an EMAHook keeps.
    """

    parameters: int
    gradients: int
    optimizer: int | None
    buffers: int
    averages: int

    def __str__(self) -> str:
        """`2.5 GiB: parameters 833 MiB, gradients 833 MiB, …`."""
        parts = {
            "parameters": self.parameters,
            "gradients": self.gradients,
            "optimizer state": self.optimizer,
            "averaged weights": self.averages or None,
            "buffers": self.buffers,
        }
        known = {name: size for name, size in parts.items() if size is not None}
        each = ", ".join(f"{name} {in_words(size)}" for name, size in known.items())
        text = f"{in_words(sum(known.values()))}: {each}"
        return text + ("" if self.optimizer is not None else "; the optimizer's state is not known")


def of_config(model: nn.Module, config: Mapping[str, Any]) -> Memory:
    """What the model, and the config's optimizer and averages for it, take in each process."""
    with DefaultScope.overwrite_default_scope(config["default_scope"]):  # of the package whose config it is
        wrapper = build_optim_wrapper(model, config["optim_wrapper"])
    return estimate(model, wrapper, config.get("custom_hooks") or ())


def estimate(model: nn.Module, wrapper: Any, hooks: Iterable[dict[str, Any]]) -> Memory:
    """What `model` (whose values don't matter) and its optimizers need, exactly.

    Args:
        model: built; not changed.
        wrapper: mmengine's OptimWrapper or OptimWrapperDict; of no use afterwards.
        hooks: the configs of the custom hooks.
    """
    parameters, buffers = _bytes(model.parameters()), _bytes(model.buffers())
    averaged = any(issubclass(kind, EMAHook) for hook in hooks for kind in classes_of(hook.get("type")))
    optimizers = [one.optimizer for one in optim_wrappers(wrapper).values()]
    trained = {p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]}
    return Memory(
        parameters=parameters,
        gradients=_bytes(p for p in trained if p.requires_grad),
        optimizer=_all([_state(optimizer) for optimizer in optimizers]),
        buffers=buffers,
        averages=parameters + buffers if averaged else 0,
    )


def in_words(size: int) -> str:
    """`1.63 GiB`."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}" if size < 999.5 * factor else f"{size / factor:.0f} {unit}"
    return f"{size} bytes"


def _state(optimizer: Optimizer) -> int | None:
    """The bytes of its state after a step, learnt from tiny parameters in the place of the real ones.

    A state has its parameter's shape, or another one that does not depend on it (a count of steps); of an optimizer
    that keeps rows and columns apart nothing is said.
    """
    real: dict[torch.Tensor, torch.Tensor] = {}
    for group in optimizer.param_groups:
        stand_ins = [_tiny(parameter) for parameter in group["params"]]
        real |= dict(zip(stand_ins, group["params"], strict=True))
        group["params"] = stand_ins
    try:
        optimizer.step()
    except _STEP_FAILS:  # one that wants more than gradients
        return None
    kept = [(tiny, one) for tiny, state in optimizer.state.items() for one in state.values() if torch.is_tensor(one)]
    if any(one.shape != tiny.shape and one.numel() != 1 for tiny, one in kept):
        return None
    return sum((real[tiny] if one.shape == tiny.shape else one).numel() * one.element_size() for tiny, one in kept)


def _tiny(parameter: torch.Tensor) -> nn.Parameter:
    zeros = torch.zeros([2] * parameter.dim(), dtype=parameter.dtype)
    tiny = nn.Parameter(zeros, requires_grad=parameter.requires_grad)
    tiny.grad = torch.zeros_like(tiny) if parameter.requires_grad else None
    return tiny


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _all(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
