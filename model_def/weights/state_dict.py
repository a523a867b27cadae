"""The tensors of somebody's checkpoint, wherever in the file they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model_def.weights.unpickle import error, load_harmless


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name: of its `state_dict`, its `model`, or of the file itself. On the CPU.

    No code from the file runs (see `unpickle`).

    Raises:
        WeightsError: it isn't a PyTorch checkpoint, or holds no tensors.
    """
    found = tensors(load_harmless(path))
    if not found:
        raise error(path, "the checkpoint holds no tensors")
    return found


def tensors(content: Any) -> dict[str, torch.Tensor]:
    """The tensors of what a checkpoint holds, by name; numpy arrays become tensors."""
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        return {}
    arrays = {
        k: torch.from_numpy(v) if isinstance(v, np.ndarray) and v.dtype.kind in "fiub" else v
        for k, v in content.items()
    }
    # A checkpoint of a model in DistributedDataParallel has `module.` before each name.
    return {str(k).removeprefix("module."): v.detach() for k, v in arrays.items() if isinstance(v, torch.Tensor)}
