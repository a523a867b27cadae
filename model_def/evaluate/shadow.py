"""Lets a module see other objects under its global names, for as long as a block runs."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric


@contextlib.contextmanager
def shadowed(module: ModuleType, names: Mapping[str, Any]) -> Iterator[None]:
    """Let `module` alone see `names`; builtins may be among them. Its own come back at the end."""
    own = vars(module)
    before = {name: own[name] for name in names if name in own}
    own.update(names)
    try:
        yield
    finally:
        for name in names:
            del own[name]
        own.update(before)


def modules_of(metric: BaseMetric) -> list[ModuleType]:
    """The modules that define `metric`'s class and those it derives from, less mmengine's `BaseMetric`."""
    classes = [cls for cls in type(metric).__mro__ if issubclass(cls, BaseMetric) and cls is not BaseMetric]
    return list(dict.fromkeys(sys.modules[cls.__module__] for cls in classes))


def for_older_numpy(module: ModuleType) -> Iterator[tuple[ModuleType, dict[str, Any]]]:
    """The modules that a metric's `module` calls and that use names that numpy has given up, with what they are to see.

    mmdet's CityScapesMetric calls cityscapesscripts' evaluator, which stops at `np.in1d` with numpy 2.4.
    """
    for helper in [value for value in vars(module).values() if isinstance(value, ModuleType)]:
        if helper.__name__.startswith("cityscapesscripts."):
            yield helper, {"np": numpy_with(in1d=np.isin)}


def numpy_with(**names: Any) -> ModuleType:
    """numpy with some of its names replaced or added."""
    module = ModuleType("numpy")
    vars(module).update(names, __getattr__=functools.partial(getattr, np))
    return module
