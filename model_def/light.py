"""For a process that only looks: mmengine and mmdet without what sharding, compiling and drawing need.

*Measured*: importing mmdet takes 4.7 seconds of a core, and 1.3 without torch.distributed's sharding (with sympy),
scikit-learn, matplotlib, SciPy, torch's compiler and its meta device. A process that trains has them all.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from model_def.garbage import uncollected

# Imported in a `try`, with a substitute: mmengine's ZeroRedundancyOptimizer, mmdet's tracklets and PAA head.
OPTIONAL = ("torch.distributed.optim", "seaborn", "sklearn", "sklearn.gaussian_process", "sklearn.mixture")
# Imported for the names in them alone: bases of mmengine's sharding wrapper, functions that draw tracking errors, and
# those that match boxes.
NAMED = (
    *("torch.distributed.fsdp", "torch.distributed.fsdp.api", "torch.distributed.fsdp.fully_sharded_data_parallel"),
    *("matplotlib", "matplotlib.patches", "matplotlib.pyplot"),
    *("scipy", "scipy.linalg", "scipy.optimize", "scipy.sparse", "scipy.sparse.csgraph"),
)
# Imported for what it does to torch: it teaches the meta device some thousand functions, and nobody here uses that.
KERNELS = "torch._meta_registrations"
COMPILER, REFERENCES = "torch._dynamo", "torch._refs"


def import_lightly() -> None:
    """Import mmdet, with all that it registers. For a process that neither trains nor draws, before it imports torch.

    Wrappers that shard a model can be named in such a process, but not used.
    """
    names = {name: _Names(name) for name in NAMED}
    standins: dict[str, Any] = {**dict.fromkeys(OPTIONAL), **names, KERNELS: ModuleType(KERNELS)}
    missing = {name: standin for name, standin in standins.items() if name not in sys.modules}
    sys.modules.update(missing)
    sys.modules.setdefault(COMPILER, _NoCompiler(COMPILER))
    try:
        with uncollected(modules=True):
            from mmdet.utils import register_all_modules

            register_all_modules(init_default_scope=False)
    finally:
        for name in missing:  # whoever uses them from now on gets the real ones
            sys.modules.pop(name, None)
    torch: Any = sys.modules["torch"]
    torch.__dict__.setdefault("_refs", _Later(REFERENCES))  # KERNELS would have imported it


class _Names(ModuleType):
    """A module in which any name is an empty class."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []  # modules may be looked for in it

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class _Later(ModuleType):
    """A module that is imported when something in it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        importlib.import_module(KERNELS)  # torch's own order: the other way round its modules need each other
        return getattr(importlib.import_module(self.__name__), name)


class _NoCompiler(_Later):
    """torch's compiler for who doesn't compile: optimizers ask it to leave them alone. Any other use loads it."""

    @staticmethod
    def disable(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """The function, which nobody compiles."""
        return function

    @staticmethod
    def graph_break() -> None:
        """Nothing."""
