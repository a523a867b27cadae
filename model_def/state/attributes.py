"""What modules keep in plain attributes, out of a state_dict's sight, such as the size of BatchSyncRandomResize."""

from __future__ import annotations

import collections
import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from model_def.state.plain import plain, revive

_MISSING: Any = object()
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))  # `training`, the tables of parameters and children


class Attributes:
    """Finds the attributes that training changes, of modules and of what they own (an assigner, say).

    Args:
        model: as it is before the first step. What has changed is told by comparison.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._before = {name: copy.deepcopy(value) for name, value in _attributes(model)}

    def changed(self) -> dict[str, Any]:
        """The attributes that are not what they were, as plain data."""
        now = _attributes(self._model)
        return {name: value for name, value in now if not _equal(value, self._before.get(name, _MISSING))}

    def set(self, values: Mapping[str, Any]) -> None:
        """Put what `changed` returned back."""
        owners = dict(_owners(self._model))
        device = next((each.device for each in self._model.parameters()), torch.device("cpu"))
        for name, value in values.items():
            owner, attribute = name.rsplit(":", 1)
            now = getattr(owners[owner], attribute, None)
            value = _on(device, revive(value))
            setattr(owners[owner], attribute, _like(now, value))


def _owners(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Each module, and each object that is owned by one, by name."""
    for path, module in model.named_modules():
        yield path, module
        for name, item in vars(module).items():
            for number, each in enumerate(item if isinstance(item, (list, tuple)) else [item]):
                if _is_part(each):
                    yield f"{path}.{name}.{number}", each


def _is_part(each: Any) -> bool:
    """Whether it may have a state of its own: no data, no function, no class."""
    return hasattr(each, "__dict__") and not callable(each) and not isinstance(each, (torch.Tensor, Mapping, type))


def _attributes(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """The attributes that can be saved, as plain data."""
    for owner_name, owner in _owners(model):
        for attribute, value in vars(owner).items():
            if attribute in _OF_EVERY_MODULE:
                continue
            name = f"{owner_name}:{attribute}"
            try:
                yield name, plain(list(value) if isinstance(value, collections.deque) else value, where=name)
            except TypeError:
                continue  # an object: what it holds is looked at as a part, or it is none of ours


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):
        return isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(_equal, a, b))
    return type(a) is type(b) and bool(a == b)


def _like(now: Any, value: Any) -> Any:
    return collections.deque(value, maxlen=now.maxlen) if isinstance(now, collections.deque) else value


def _on(device: torch.device, value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _on(device, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_on(device, item) for item in value)
    return value
