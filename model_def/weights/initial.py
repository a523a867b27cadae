"""Weights that the model's own `init_cfg` brings (an ImageNet backbone, mostly)."""

from __future__ import annotations

import contextlib
import copy
import pickle
import traceback
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from mmengine.config import Config

from model_def.compose.tree import dicts, dotted, walk
from model_def.errors import WeightsError

_FAILURES = (OSError, EOFError, RuntimeError, pickle.UnpicklingError, WeightsError)


def without_covered_downloads(model: dict[str, Any], names: Iterable[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The model's config without `Pretrained` initialisers of parts that the weights with `names` overwrite anyway.

    Returns:
        The config (a copy), and a note for each initialiser that was removed.
    """
    parts = {name.rsplit(".", length)[0] for name in names for length in range(1, name.count(".") + 1)}
    result, notes = copy.deepcopy(model), []
    for path, node in dicts(result):
        init = node.get("init_cfg")
        if isinstance(init, dict) and init.get("type") == "Pretrained" and dotted(path) in parts:
            node["init_cfg"] = None
            name = dotted(("model", *path, "init_cfg"))
            notes.append(f"{name} = None: use_pretrained overwrites what {init.get('checkpoint')} would set")
    return result, tuple(notes)


def without_downloads(config: Config) -> Config:
    """A copy of `config` whose model needs nothing from the network, and that loads no weights."""
    tree = copy.deepcopy(config.to_dict())
    for _, node in dicts(tree["model"]):
        init = node.get("init_cfg")
        if isinstance(init, dict) and init.get("type") == "Pretrained" and "://" in str(init.get("checkpoint")):
            node["init_cfg"] = None
        if "://" in str(node.get("teacher_ckpt")):
            node["teacher_ckpt"] = None
        if node.get("pretrained") is True:  # timm's models fetch their own
            node["pretrained"] = False
    return Config({**tree, "load_from": None})


@contextlib.contextmanager
def download_errors(config: Mapping[str, Any]) -> Iterator[None]:
    """Turns a failure of mmengine's own checkpoint loader inside the block into a WeightsError.

    Args:
        config: in which the place is looked up that named the checkpoint.

    Raises:
        WeightsError: with the override that does without the download.
    """
    try:
        yield
    except _FAILURES as error:  # URLError, timeouts and missing files are OSErrors
        wanted = _checkpoint(error.__traceback__)
        if wanted is None:
            raise
        raise unloadable(wanted, config, str(error)) from error


def unloadable(wanted: str, config: Mapping[str, Any], reason: str) -> WeightsError:
    """That weights can't be loaded which `config` names: with its place, and the override that does without them."""
    name = next((dotted(path) for path, value in walk(config) if value == wanted), "load_from")
    section = name.removesuffix(".checkpoint")
    return WeightsError(
        what=f"the initial weights can't be loaded ({reason.partition(chr(10))[0]})",
        value=wanted,
        where=name,
        allowed="weights that this machine can reach",
        next=f"{section}=None to start from random weights, or {name}=path/to/weights.pth",
    )


def _checkpoint(trace: TracebackType | None) -> str | None:
    """The name that mmengine's checkpoint loader was given, if the error comes from there."""
    for frame, _ in traceback.walk_tb(trace):
        file = frame.f_code.co_filename.replace("\\", "/")
        if file.endswith("mmengine/runner/checkpoint.py") and "filename" in frame.f_locals:
            return str(frame.f_locals["filename"])
    return None
