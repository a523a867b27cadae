"""Weights that the model's own `init_cfg` brings (an ImageNet backbone, mostly)."""

from __future__ import annotations

import contextlib
import copy
import traceback
from collections.abc import Iterable, Iterator
from typing import Any

from model_def.compose.tree import dicts, dotted
from model_def.errors import WeightsError


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


@contextlib.contextmanager
def download_errors(model: dict[str, Any]) -> Iterator[None]:
    """Turns a failed download of mmengine's own checkpoint loader inside the block into a WeightsError.

    Raises:
        WeightsError: with the override that does without the download.
    """
    try:
        yield
    except OSError as error:  # URLError, timeouts and missing files are OSErrors
        if not _from_checkpoint_loader(error):
            raise
        found = {
            dotted(("model", *path, "init_cfg")): node["init_cfg"] for path, node in dicts(model) if _downloads(node)
        }
        name, init = next(iter(found.items()), ("load_from", {"checkpoint": "load_from"}))
        raise WeightsError(
            what=f"the initial weights can't be loaded ({error})",
            value=init.get("checkpoint"),
            where=name,
            allowed="weights that this machine can reach",
            next=f"{name}=None to start from random weights, or {name}.checkpoint=path/to/weights.pth",
        ) from error


def _downloads(node: dict[str, Any]) -> bool:
    init = node.get("init_cfg")
    return isinstance(init, dict) and init.get("type") == "Pretrained"


def _from_checkpoint_loader(error: OSError) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.filename.replace("\\", "/").endswith("mmengine/runner/checkpoint.py") for frame in frames)
