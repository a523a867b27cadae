"""A checkpoint of stock mmengine (`epoch_3.pth`, `iter_9000.pth`): read without running any code from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer

from model_def.errors import WeightsError
from model_def.weights.state_dict import tensors
from model_def.weights.unpickle import History, inert, load_harmless

# What mmengine's own resume can't do without.
_NEEDED = ("meta", "state_dict", "optimizer")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StockCheckpoint:
    """What a Runner of mmengine has saved.

    Attributes:
        path: the file.
        epoch, iterations: how far it had trained.
        seed: of its random numbers; None if it isn't known.
        content: in the file's own layout, `message_hub` and `param_schedulers` always there.
    """

    path: Path
    epoch: int
    iterations: int
    seed: int | None
    content: dict[str, Any]


def read_stock(path: Path, *, mmap: bool = False) -> StockCheckpoint:
    """The checkpoint in a file that mmengine's CheckpointHook has written.

    Args:
        path: the file.
        mmap: read the tensors' numbers only when they are used: for whoever wants to know the rest.

    Raises:
        WeightsError: it isn't one, or it holds weights alone, or something that can't be read safely.
    """
    content = load_harmless(path, mmap=mmap)
    lacks = [name for name in _NEEDED if not isinstance(content, Mapping) or not isinstance(content.get(name), Mapping)]
    meta = {} if lacks else content["meta"]
    epoch, iterations = meta.get("epoch"), meta.get("iter")
    if not isinstance(epoch, int) or not isinstance(iterations, int):
        raise _not_resumable(path, f"has no {', no '.join(lacks)}" if lacks else "doesn't say how far it had trained")
    hub = content.get("message_hub")  # before mmengine 0.2 it was an object, which reads as a placeholder
    whole = {
        **content,
        "state_dict": tensors(content),
        "message_hub": _hub(hub if isinstance(hub, Mapping) else {}),
        "param_schedulers": content.get("param_schedulers") or [],
    }
    unknown = [place for name in ("optimizer", "param_schedulers") for place in inert(whole[name], name)]
    if unknown:
        raise _not_resumable(path, f"has objects that can't be read without running their code, such as {unknown[0]}")
    seed = meta.get("seed")
    return StockCheckpoint(
        path=path,
        epoch=epoch,
        iterations=iterations,
        seed=None if seed is None or list(inert(seed, "seed")) else int(seed),
        content=whole,
    )


def _hub(state: Mapping[str, Any]) -> dict[str, Any]:
    """The MessageHub's state without what can't be read safely."""
    histories = {name: _history(value) for name, value in (state.get("log_scalars") or {}).items()}
    scalars = {name: value for name, value in histories.items() if value is not None}
    info = {name: value for name, value in (state.get("runtime_info") or {}).items() if not list(inert(value, name))}
    resumed = {
        name: flag for name, flag in (state.get("resumed_keys") or {}).items() if name in scalars or name in info
    }
    return {"log_scalars": scalars, "runtime_info": info, "resumed_keys": resumed}


def _history(found: Any) -> HistoryBuffer | None:
    attributes = found.attributes if isinstance(found, History) else {}
    parts = [attributes.get(name) for name in ("_log_history", "_count_history")]
    if not all(isinstance(part, np.ndarray) and part.dtype.kind in "biuf" for part in parts):
        return None
    return HistoryBuffer(*parts, max_length=int(attributes["max_length"]))


def _not_resumable(path: Path, why: str) -> WeightsError:
    folder = (path.parent / "state_dict.pth").is_file()
    return WeightsError(
        what=f"a run can't go on from this file: it {why}",
        value=path.name,
        where=str(path),
        allowed="a run's output directory, a folder in its checkpoints/, or an epoch_N.pth or iter_N.pth of mmengine",
        next=f"--resume {path.parent}" if folder else f"start a new run from its weights: use_pretrained={path}",
    )
