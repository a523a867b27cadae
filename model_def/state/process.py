"""What differs between the processes of one run: random numbers, and buffers that DDP leaves alone."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from model_def.state.runner_state import unwrapped


def process_state(model: nn.Module) -> dict[str, Any]:
    """The calling process's own part of the state, as plain data.

    Batch statistics belong to it: mmengine's DDP does not broadcast buffers, each process validates with its own.
    """
    return {"rng": rng_state(), "buffers": {name: tensor.cpu() for name, tensor in unwrapped(model).named_buffers()}}


def set_buffers(model: nn.Module, buffers: Mapping[str, torch.Tensor]) -> None:
    """Put the buffers of `process_state` back."""
    for name, tensor in unwrapped(model).named_buffers():
        tensor.data.copy_(buffers[name])


def rng_state() -> dict[str, Any]:
    """The states of Python's, numpy's, torch's and (where there is one) the current GPU's generator, as plain data."""
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": plain_numpy_state(np.random.get_state()),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_rng_state(state: Mapping[str, Any]) -> None:
    """Put what `rng_state` returned back."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def plain_numpy_state(state: Any) -> tuple[Any, ...]:
    """numpy's generator state with its key as a list: `weights_only` refuses arrays, numpy itself accepts lists."""
    name, key, *rest = state
    return (name, [int(word) for word in key], *rest)
