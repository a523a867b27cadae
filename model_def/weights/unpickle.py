"""Reads a checkpoint that someone else made, without running any code from it.

A `.pth` file is a pickle, and a pickle can name any function to call. Here only what rebuilds tensors and numpy arrays
is looked up; every other class or function becomes an inert placeholder.
"""

from __future__ import annotations

import pickle
import types
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model_def.errors import WeightsError

HARMLESS: dict[str, frozenset[str]] = {
    "collections": frozenset({"OrderedDict", "Counter", "defaultdict"}),
    "builtins": frozenset(
        {"set", "frozenset", "list", "dict", "tuple", "int", "float", "complex", "bytearray", "slice"}
    ),
    "_codecs": frozenset({"encode"}),
    "torch": frozenset(
        {"Size", "Tensor", "device", *(n for n in dir(torch) if isinstance(getattr(torch, n), torch.dtype))}
    ),
    "torch.nn.parameter": frozenset({"Parameter"}),
    "torch.serialization": frozenset({"_get_layout"}),
    "torch._utils": frozenset(
        {
            "_rebuild_tensor",
            "_rebuild_tensor_v2",
            "_rebuild_parameter",
            "_rebuild_parameter_with_state",
            "_rebuild_qtensor",
        }
    ),
    "numpy": frozenset({"ndarray", "dtype"}),
    "numpy.core.multiarray": frozenset({"_reconstruct", "scalar"}),
    "numpy._core.multiarray": frozenset({"_reconstruct", "scalar"}),
}


class Inert:
    """Stands for an object of a class that isn't looked up: it takes what a pickle does to it, and keeps nothing."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Inert:
        """A placeholder, whatever the arguments."""
        return super().__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing to keep."""

    def __setstate__(self, _state: Any) -> None:
        """Nothing to keep."""

    def __setitem__(self, _key: Any, _value: Any) -> None:
        """Nothing to keep."""

    def append(self, _item: Any) -> None:
        """Nothing to keep."""

    def extend(self, _items: Any) -> None:
        """Nothing to keep."""


class Unpickler(pickle.Unpickler):
    """pickle's, but it looks up nothing that isn't harmless."""

    def find_class(self, module: str, name: str) -> Any:
        """The class or function of that name if it is harmless, else the placeholder."""
        known = name in HARMLESS.get(module, ()) or (module == "torch" and name.endswith("Storage"))
        return super().find_class(module, name) if known else Inert


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name: of its `state_dict`, its `model`, or of the file itself. On the CPU.

    Raises:
        WeightsError: it isn't a PyTorch checkpoint, or holds no tensors.
    """
    module: Any = types.ModuleType("inert_pickle")
    module.Unpickler, module.load = Unpickler, lambda file, **options: Unpickler(file, **options).load()
    if _is_script(path):
        raise _error(path, "this is a TorchScript program, not a checkpoint")
    try:
        content = torch.load(path, map_location="cpu", pickle_module=module, weights_only=False)
    except OSError as error:
        raise _error(path, f"the weights can't be read ({error.strerror or error})") from error
    except Exception as error:  # a broken file can make the unpickler raise anything
        raise _error(path, f"not a PyTorch checkpoint ({type(error).__name__}: {str(error)[:80]})") from error
    tensors = _tensors(content)
    if not tensors:
        raise _error(path, "the checkpoint holds no tensors")
    return tensors


def _is_script(path: Path) -> bool:
    """Whether `torch.load` would take the file for a program and hand it to the TorchScript loader."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _tensors(content: Any) -> dict[str, torch.Tensor]:
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


def _error(path: Path, what: str) -> WeightsError:
    return WeightsError(
        what=what,
        value=path.name,
        where=str(path),
        allowed="a .pth file with a `state_dict`, as mmengine, mmdet and torch write it",
        next=f"ls -l {path}",
    )
