"""Turns state into data that torch loads with `weights_only`, and back: no code of a checkpoint is ever run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

# The key that marks a dict which stands for an object that such a file can't hold.
_KIND = "__kind__"


def plain(value: Any, *, where: str) -> Any:
    """`value` made of dicts, lists, tuples, tensors (on the CPU), numbers, strings and None.

    Args:
        where: what `value` is called, for the error.

    Raises:
        TypeError: it holds something else; the message names the place.
    """
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, float):
        return float(value)  # not one of a class of its own, such as a metric
    if value is None or isinstance(value, (bool, int, str, bytes)):
        return value
    if isinstance(value, np.ndarray):
        return {_KIND: "ndarray", "data": torch.from_numpy(value.copy())}
    if isinstance(value, HistoryBuffer):
        history, counts = (torch.from_numpy(np.array(part, copy=True)) for part in value.data)
        return {_KIND: "HistoryBuffer", "history": history, "counts": counts, "max_length": value.max_length}
    if isinstance(value, Mapping):
        return {key: plain(item, where=f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [plain(item, where=f"{where}.{index}") for index, item in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    raise TypeError(f"a checkpoint can't hold {where}, a {type(value).__module__}.{type(value).__qualname__}")


def json_number(value: Any) -> float | None:
    """A number as JSON holds it, which knows no nan and no infinity: those are None."""
    number = float(value)
    return number if math.isfinite(number) else None


def revive(value: Any) -> Any:
    """The inverse of `plain` (numpy scalars stay Python numbers)."""
    if isinstance(value, dict):
        kind = value.get(_KIND)
        if kind == "ndarray":
            return value["data"].numpy()
        if kind == "HistoryBuffer":
            return HistoryBuffer(value["history"].numpy(), value["counts"].numpy(), value["max_length"])
        return {key: revive(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(revive(item) for item in value)
    return value
