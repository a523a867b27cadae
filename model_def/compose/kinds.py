"""Kinds of values that can't be meant: text where a component wants a number, a number where it wants a section."""

from __future__ import annotations

import collections.abc
import contextlib
import inspect
import numbers
import types
import typing
from collections.abc import Iterator
from typing import Any

from model_def.compose import strict
from model_def.compose.components import Argument
from model_def.compose.tree import Path, dotted
from model_def.errors import Problem

# Arguments that take more than their annotation, or their value in most configs, says.
LOOSE = (
    *("loss_scale", "class_weight", "log_scale", "pad_val"),
    "out_indices",  # in mmpretrain's backbones one or several
    *("YOLOFHead.in_channels", "BucketingBBoxCoder.scale_factor"),
)
WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "text": "a string",
    "mapping": "a mapping",
    "sections": "a list of mappings",
    "list": "a list",
}
# What need not be said beside these.
WIDER = {"integer": {"number"}, "sections": {"list", "mapping"}}
_OF = {bool: "boolean", int: "integer", float: "number", numbers.Number: "number", str: "text"}
_LISTS = (list, tuple, set, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
_MAPPINGS = (dict, collections.abc.Mapping)


def wrong_kinds(new: Any, old: Any, path: Path, known: Argument | None = None) -> Iterator[tuple[Path, Problem]]:
    """Each value (its path first) at or below `new` that is of none of the kinds which its place takes.

    Args:
        new: the value at `path` of the config.
        old: what it replaces; None if there was nothing.
        known: the component's argument that it is, if that is known.
    """
    if new is None or (new == old and kind(new) == kind(old)) or str(path[-1]) in LOOSE:
        return
    allowed = {"sections"} if kind(old) == "sections" and kind(new) == "list" and new else _allowed(old, known)
    if allowed and kind(new) and kind(new) not in allowed:
        yield path, _problem(new, allowed, path)
    elif isinstance(new, dict):
        yield from _inside(new, old if isinstance(old, dict) else {}, path)
    elif isinstance(new, list | tuple):
        usual = known.default if known else None
        before = next((one for one in (old, usual) if isinstance(one, list | tuple)), ())
        for index, item in enumerate(new):
            yield from wrong_kinds(item, _counterpart(item, before, index), (*path, index))


def kind(value: Any) -> str:
    """The word for a value's kind; "" for what isn't data."""
    if isinstance(value, list | tuple):
        return "sections" if _has_sections(value) else "list"
    if isinstance(value, dict):
        return "mapping"
    if isinstance(value, float) and value.is_integer():
        return "integer"
    return _OF.get(type(value), "")


def _inside(new: dict[str, Any], old: dict[str, Any], path: Path) -> Iterator[tuple[Path, Problem]]:
    if path[-1] in strict.OPAQUE or new.get("type") in strict.OPAQUE:
        return
    before = old if new.get("type") == old.get("type") else {}
    for key, value in new.items():
        if key != "type" and f"{new.get('type')}.{key}" not in LOOSE:
            yield from wrong_kinds(value, before.get(key), (*path, key), strict.argument(new, path, key))


def _counterpart(item: Any, before: Any, index: int) -> Any:
    """What an item of a list replaces: of sections the one of its `type`, of lists and numbers the one at its place."""
    old = before[min(index, len(before) - 1)] if before else None
    if isinstance(item, dict):
        alike = (one for one in (old, *before) if isinstance(one, dict) and one.get("type") == item.get("type"))
        return next(alike, None)
    if isinstance(item, list | tuple):
        return old if isinstance(old, list | tuple) else None
    return old if kind(old) in ("integer", "number") else None


def _has_sections(value: Any) -> bool:
    return any(isinstance(item, dict) or (isinstance(item, list | tuple) and _has_sections(item)) for item in value)


def _allowed(old: Any, known: Argument | None) -> set[str]:
    """The kinds that a place takes; empty if nobody says."""
    said = _wider(_annotated(known.annotation) if known else set())
    seen = {kind(old), kind(known.default) if known else ""} - {""}
    if said and seen <= said:
        return said
    # Without an annotation an integer is an example of a number.
    return _wider(said | {"number" if one == "integer" else one for one in seen})


def _wider(kinds: set[str]) -> set[str]:
    more = {"number": {"integer"}, "mapping": {"sections"}, "sections": {"mapping"}, "list": {"sections"}}
    return kinds.union(*(more.get(one, set()) for one in kinds))


def _annotated(annotation: Any) -> set[str]:
    """The kinds that an annotation names; empty if it says nothing."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (inspect.Parameter.empty, Any) or isinstance(annotation, str | typing.TypeVar):
        return set()
    if origin in (typing.Union, types.UnionType):
        parts = [_annotated(one) for one in inner if one is not type(None)]
        return set().union(*parts) if all(parts) else set()
    if origin is typing.Literal:
        return {kind(one) for one in inner}
    named = origin or annotation
    if named in _OF:
        return {_OF[named]}
    if inspect.isclass(named) and issubclass(named, _MAPPINGS):
        return {"mapping"}
    if named in _LISTS:
        return {"list"}
    if not inspect.isclass(named) or named.__name__ == "Callable":
        return set()
    return {"tensor"} if named.__name__ == "Tensor" else {"mapping"}  # a class of its own is built from a section


def _problem(value: Any, allowed: set[str], path: Path) -> Problem:
    narrow = {one for one in allowed if not allowed & WIDER.get(one, set())}
    words = [word for one, word in WORDS.items() if one in narrow]
    found = {"integer": "a number", "number": "a fraction"}.get(kind(value), WORDS[kind(value)])
    return Problem(
        what=f"`{dotted(path)}` can't be {found}",
        value=value,
        allowed=" or ".join(words),
        next=f"write {_instead(value, allowed) or words[0]}, or `+{dotted(path)}` if it is meant",
    )


def _instead(value: Any, allowed: set[str]) -> str:
    if isinstance(value, str) and allowed & {"number", "integer"}:
        with contextlib.suppress(ValueError):
            return f"`{float(value):g}` without quotes"
    if isinstance(value, bool) and "text" in allowed:
        return "a string in quotes (YAML takes yes, no, on and off for true and false)"
    if "boolean" in allowed and value in (0, 1):
        return f"`{str(bool(value)).lower()}`"
    if allowed >= {"list"} and isinstance(value, int | float):
        return f"`[{value}]`"
    return ""
