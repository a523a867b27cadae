"""Reads a checkpoint that someone else made, without running any code from it.

A `.pth` file is a pickle, and a pickle can name any function to call. Here only what rebuilds tensors and numpy arrays
is looked up; every other class or function becomes an inert placeholder.
"""

from __future__ import annotations

import pickle
import types
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

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


class History(Inert):
    """Stands for mmengine's HistoryBuffer, which would take methods out of a file for the whole process."""

    def __setstate__(self, state: Any) -> None:
        """Keep the buffer's attributes as they are."""
        self.attributes = state if isinstance(state, dict) else {}


STANDS_FOR: dict[tuple[str, str], type[Inert]] = {("mmengine.logging.history_buffer", "HistoryBuffer"): History}


class Unpickler(pickle._Unpickler):
    """pickle's own in Python, but it looks up nothing that isn't harmless, and changes nothing that it looks up."""

    def find_class(self, module: str, name: str) -> Any:
        """The class or function of that name if it is harmless, else the placeholder."""
        is_storage = module == "torch" and name.endswith("Storage") and name.isidentifier()
        known = is_storage or name in HARMLESS.get(module, ())
        return super().find_class(module, name) if known else STANDS_FOR.get((module, name), Inert)

    def load_build(self) -> None:
        """Give an object its state, but not a class or a function: those belong to everybody."""
        shared = type | types.FunctionType | types.BuiltinFunctionType
        if isinstance(self.stack[-2], shared):  # type: ignore[attr-defined]
            raise pickle.UnpicklingError("it sets attributes of a class or a function")
        super().load_build()  # type: ignore[misc]

    dispatch: ClassVar = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build}  # type: ignore[dict-item]


def load_harmless(path: Path, *, mmap: bool = False) -> Any:
    """What a checkpoint holds, on the CPU, `Inert` in place of each object that isn't harmless.

    Args:
        path: a file that `torch.save` has written.
        mmap: read the tensors' numbers only when they are used, if the file's format allows that.

    Raises:
        WeightsError: it isn't a PyTorch checkpoint.
    """
    module: Any = types.ModuleType("inert_pickle")
    module.Unpickler, module.load = Unpickler, lambda file, **options: Unpickler(file, **options).load()
    if _is_script(path):
        raise error(path, "this is a TorchScript program, not a checkpoint")
    mmap = mmap and zipfile.is_zipfile(path)
    try:
        return torch.load(path, map_location="cpu", pickle_module=module, weights_only=False, mmap=mmap)
    except OSError as failure:
        raise error(path, f"the weights can't be read ({failure.strerror or failure})") from failure
    except Exception as failure:  # a broken file can make the unpickler raise anything
        raise error(path, f"not a PyTorch checkpoint ({type(failure).__name__}: {str(failure)[:80]})") from failure


def check_plain(path: Path) -> None:
    """See that a pickle holds numbers and texts alone, so that whoever loads it runs no code.

    Raises:
        WeightsError: it names a class or a function, or is broken.
    """
    try:
        with path.open("rb") as file:
            _PlainUnpickler(file).load()
    except FileNotFoundError:
        return
    except Exception as failure:  # a broken file can make the unpickler raise anything
        raise error(path, f"this part of a checkpoint can't be trusted ({failure})") from failure


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def inert(value: Any, where: str) -> Iterator[str]:
    """The dotted places of the placeholders in `value`, which stands at `where`."""
    if isinstance(value, Inert) or (isinstance(value, type) and issubclass(value, Inert)):
        yield where
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from inert(item, f"{where}.{key}")
    elif isinstance(value, list | tuple | set | frozenset):
        for index, item in enumerate(value):
            yield from inert(item, f"{where}.{index}")


def _is_script(path: Path) -> bool:
    """Whether `torch.load` would take the file for a program and hand it to the TorchScript loader."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def error(path: Path, what: str) -> WeightsError:
    """What to say of a file that is no checkpoint."""
    return WeightsError(
        what=what,
        value=path.name,
        where=str(path),
        allowed="a .pth file with a `state_dict`, as mmengine, mmdet and torch write it",
        next=f"ls -l {path}",
    )
