"""YAML has lists; mmdet's components want lists here and tuples there. This gives each its own.

A value follows the shape of the one that it replaces, else the component's annotation, else its default. A string
such as `"(96, 128)"` is a tuple and `None` is nothing, as in mmengine's `--cfg-options`.
"""

from __future__ import annotations

import ast
import collections.abc
import inspect
import types
import typing
from typing import Any

from model_def.compose.components import Argument, component

_NO = object()  # "this doesn't fit"
_EMPTY = inspect.Parameter.empty
_TUPLES = ("pad_val",)  # mmcv wants tuples inside this dict, which no annotation says
_SEQUENCES = (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)


def coerce(value: Any, old: Any, argument: Argument | None) -> Any:
    """`value` in the types that its place in the config wants.

    Args:
        value: what YAML gave.
        old: what it replaces, or None.
        argument: the component's argument that it becomes, if that is known.
    """
    if isinstance(value, str):
        return _literal(value)
    if isinstance(value, dict):
        coerced = _coerce_dict(value, old if isinstance(old, dict) else {})
        return _tuples(coerced) if argument and argument.name in _TUPLES else coerced
    if isinstance(value, list):
        return _coerce_list([_literal(item) for item in value], old, argument)
    whole = isinstance(value, float) and value.is_integer() and isinstance(old, int) and not isinstance(old, bool)
    return int(value) if whole else value


def _coerce_dict(value: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    kind = value.get("type", old.get("type"))
    known = component(kind) if kind else None
    arguments = known.arguments if known else {}
    before = old if kind == old.get("type") else {}
    return {key: coerce(item, before.get(key), arguments.get(key)) for key, item in value.items()}


def _tuples(value: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}


def _coerce_list(value: list[Any], old: Any, argument: Argument | None) -> Any:
    if any(isinstance(item, dict) for item in value):
        items = [coerce(item, _same_type(item, old), None) for item in value]
        return tuple(items) if isinstance(old, tuple) else items
    followed = _follow(value, old)
    if followed is not _NO:
        return followed
    annotated = _fit(value, argument.annotation) if argument else _NO
    if annotated is not _NO:
        return annotated
    return tuple(value) if argument and isinstance(argument.default, tuple) else [coerce(v, None, None) for v in value]


def _literal(value: Any) -> Any:
    """`"(96, 128)"` as a tuple, `"None"` as None, anything else as it is."""
    if value == "None":
        return None
    if isinstance(value, str) and value.startswith("(") and value.endswith(")"):
        try:
            parsed = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return value
        return parsed if isinstance(parsed, tuple) else value
    return value


def _same_type(item: Any, old: Any) -> Any:
    """The element of the replaced list that has the same `type` as `item`."""
    before = [other for other in old if isinstance(other, dict)] if isinstance(old, list | tuple) else []
    return next((other for other in before if isinstance(item, dict) and other.get("type") == item.get("type")), None)


def _follow(value: Any, old: Any) -> Any:
    """`value` in the shape of `old`; `_NO` where their depths differ, so that the shape says nothing."""
    if isinstance(value, list) != isinstance(old, list | tuple):
        return _NO
    if not isinstance(value, list):
        return coerce(value, old, None)
    if not value or not old:
        return type(old)(value) if not value else _NO
    items = [_follow(item, old[min(index, len(old) - 1)]) for index, item in enumerate(value)]
    return _NO if any(item is _NO for item in items) else type(old)(items)


def _fit(value: Any, annotation: Any) -> Any:
    """`value` as the annotation wants it, or `_NO`."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (_EMPTY, Any):
        return _NO
    if origin in (typing.Union, types.UnionType):
        return next((fit for fit in (_fit(value, option) for option in inner) if fit is not _NO), _NO)
    if isinstance(value, list):
        return _fit_list(value, origin or annotation, inner)
    if isinstance(value, tuple):  # written so, as "(96, 128)"
        return value if (origin or annotation) in (tuple, *_SEQUENCES[1:]) else _NO
    if annotation is float:
        return value if isinstance(value, int | float) and not isinstance(value, bool) else _NO
    if annotation is None or not isinstance(annotation, type):
        return value if value is None else _NO
    return value if isinstance(value, annotation) else _NO


def _fit_list(value: list[Any], origin: Any, inner: tuple[Any, ...]) -> Any:
    if origin is tuple:
        if inner and inner[-1] is not Ellipsis and len(inner) != len(value):
            return _NO
        wanted = inner if inner and inner[-1] is not Ellipsis else (inner[0] if inner else _EMPTY,) * len(value)
        return _all([_fit_item(item, want) for item, want in zip(value, wanted, strict=True)], tuple)
    if origin in _SEQUENCES:
        return _all([_fit_item(item, inner[0] if inner else _EMPTY) for item in value], list)
    return _NO


def _fit_item(item: Any, wanted: Any) -> Any:
    return item if wanted in (_EMPTY, Any) else _fit(item, wanted)


def _all(items: list[Any], sequence: type[list[Any]] | type[tuple[Any, ...]]) -> Any:
    return _NO if any(item is _NO for item in items) else sequence(items)
