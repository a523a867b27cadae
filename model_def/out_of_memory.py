"""Out of memory: says how large the batch and its images are, and what to change."""

from __future__ import annotations

import contextlib
import re
import shlex
import traceback
from collections.abc import Iterator
from typing import Any

from model_def.compose import Composed
from model_def.compose.tree import Path, dicts, dotted
from model_def.errors import ConfigError, MMDetTrialError
from model_def.experiment_types import Experiment

# torch on a GPU and on a CPU, OpenCV, the system.
_SAYS = re.compile(r"out of memory|[Cc]an('t|not) allocate memory|not enough memory|Insufficient memory")
_SCALES = ("scale", "scales", "img_scale", "crop_size")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory, a GPU's or this machine's, was too small."""
    told = isinstance(error, MMDetTrialError)  # by us, already
    return not told and (isinstance(error, MemoryError) or bool(_SAYS.search(str(error))))


@contextlib.contextmanager
def out_of_memory(composed: Composed, experiment: Experiment) -> Iterator[None]:
    """Names batch size, image scale and what to override when the memory inside the block was too small.

    Raises:
        ConfigError: in place of what torch, OpenCV or Python raise.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        part = "val_dataloader" if _validates(error) else "train_dataloader"
        config = composed.config.to_dict()
        raise ConfigError(
            what="out of memory",
            value=_load(config.get(part) or {}),
            where=f"{part}: {str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}",
            allowed="a batch that fits into the memory beside the model",
            next=" or ".join(_smaller(config, part, experiment)),
        ) from error


def _validates(error: BaseException) -> bool:
    return any(frame.f_code.co_name == "val_step" for frame, _ in traceback.walk_tb(error.__traceback__))


def _load(loader: dict[str, Any]) -> str:
    scale = next((f", images of {value}" for _, value in _scales(loader)), "")
    return f"{loader.get('batch_size', 'some')} images in each process{scale}"


def _smaller(config: dict[str, Any], part: str, experiment: Experiment) -> Iterator[str]:
    """Overrides that need less memory, the most useful first."""
    loader = config.get(part) or {}
    size, own = experiment.hyperparameters.global_batch_size, loader.get("batch_size")
    if isinstance(own, int) and own > 1:
        half = own // 2
        yield f"global_batch_size={size // own * half}" if part == "train_dataloader" else f"{part}.batch_size={half}"
    for path, value in _scales(loader):
        yield shlex.quote(f"{part}.{dotted(path)}={_three_quarters(value)}".replace(" ", ""))
        break
    if "Amp" not in str((config.get("optim_wrapper") or {}).get("type")):
        yield "on a GPU, optim_wrapper.type=AmpOptimWrapper"


def _scales(loader: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """The image sizes that transforms of a dataloader name, each with its path."""
    for path, node in dicts(loader):
        yield from (((*path, key), node[key]) for key in _SCALES if isinstance(node.get(key), list | tuple))


def _three_quarters(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_three_quarters(each) for each in value]
    return round(value * 0.75) if isinstance(value, int) else value
