"""What may stand in a mapping: kinds of values, and one walk that finds every wrong value and every unknown key."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from model_def.errors import ABSENT, Problem
from model_def.yaml_source import Source

SECRET = re.compile(r"secret|token|password|credential|access_?key", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """What one field accepts. `None` (YAML `null`) is always accepted and means "not given", unless `required`.

    Attributes:
        allowed: the words for an error message.
        types: accepted Python types; empty accepts anything. `int` is no `bool`.
        least: the smallest number that is accepted, or the fewest items.
        choices: the only accepted values, if there are such.
        fields: the known keys of a mapping; `None` accepts any.
        items: the kind of each item of a list.
        required: whether the field must be given.
    """

    allowed: str
    types: tuple[type, ...] = ()
    least: float | None = None
    choices: tuple[Any, ...] = ()
    fields: Mapping[str, Kind] | None = None
    items: Kind | None = None
    required: bool = False

    def accepts(self, value: Any) -> bool:
        """Whether the value itself fits; what is inside it is looked at by `problems`."""
        if self.types and not isinstance(value, self.types):
            return False
        if isinstance(value, bool) and self.types and bool not in self.types:
            return False
        if self.choices and value not in self.choices:
            return False
        size = len(value) if isinstance(value, list) else value
        return self.least is None or not isinstance(size, int | float) or size >= self.least


def problems(value: Any, kind: Kind, source: Source, place: tuple[str | int, ...] = ()) -> Iterator[Problem]:
    """Everything that is wrong with `value`, at whatever depth."""
    if value is None and not kind.required:
        return
    if value is None or not kind.accepts(value):
        yield _wrong(value, kind, source, place)
    elif isinstance(value, Mapping) and kind.fields is not None:
        yield from _mapping_problems(value, kind.fields, source, place)
    elif isinstance(value, list) and kind.items is not None:
        for index, item in enumerate(value):
            yield from problems(item, kind.items, source, (*place, index))


def right(value: Any, fields: Mapping[str, Kind]) -> dict[str, Any]:
    """The entries of a mapping in which nothing is wrong; none if it isn't one."""
    known = {key: item for key, item in value.items() if key in fields} if isinstance(value, Mapping) else {}
    return {key: item for key, item in known.items() if not any(problems(item, fields[key], Source(), (key,)))}


def nearest(word: str, words: Iterator[str] | list[str] | Mapping[str, Any], *, count: int = 3) -> list[str]:
    """The names that look most like `word`, best first; a part of a name counts too."""
    names = [str(name) for name in words]
    close = difflib.get_close_matches(word, names, n=count, cutoff=0.6)
    inside = [name for name in names if len(word) > 3 and (word in name or name in word) and name not in close]
    return (close + inside)[:count]


def did_you_mean(names: list[str]) -> str:
    """`did you mean a, b?`, or nothing when there is no name."""
    return f"did you mean {' or '.join(f'`{name}`' for name in names)}?" if names else ""


def _wrong(value: Any, kind: Kind, source: Source, place: tuple[str | int, ...]) -> Problem:
    found = (
        "is missing" if value is None else "can't be " + _sort(value) if _sort_differs(value, kind) else "is not valid"
    )
    return Problem(
        what=f"`{'.'.join(map(str, place))}` {found}",
        value=ABSENT if value is None else _shown(str(place[-1]) if place else "", value),
        where=source.where(*place),
        allowed=kind.allowed,
        next=_next(value, kind, place),
    )


def _shown(key: str, value: Any) -> Any:
    """The value for a message, unless it is a secret."""
    return ABSENT if SECRET.search(key) else value


def _next(value: Any, kind: Kind, place: tuple[str | int, ...]) -> str:
    if isinstance(value, bool) and str in kind.types:
        return "put it in quotes: YAML takes yes, no, on and off for true and false"
    if kind.choices:
        return did_you_mean(nearest(str(value), [*map(str, kind.choices)])) or f"write `{place[-1]}: {kind.choices[0]}`"
    entry = f"item {place[-1]} of `{place[-2]}`" if isinstance(place[-1], int) else f"`{place[-1]}: …`"
    return f"write {entry} as {kind.allowed}"


def _sort_differs(value: Any, kind: Kind) -> bool:
    return (bool(kind.types) and not isinstance(value, kind.types)) or isinstance(value, bool)


def _sort(value: Any) -> str:
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a fraction",
        str: "a string",
        list: "a list",
        dict: "a mapping",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def _mapping_problems(
    value: Mapping[Any, Any], fields: Mapping[str, Kind], source: Source, place: tuple[str | int, ...]
) -> Iterator[Problem]:
    for key, item in value.items():
        if str(key) not in fields:
            yield _unknown(str(key), item, fields, source, place)
        else:
            yield from problems(item, fields[str(key)], source, (*place, str(key)))
    meant = {near for key in value if str(key) not in fields for near in nearest(str(key), fields, count=1)}
    for name, kind in fields.items():
        if kind.required and name not in value and name not in meant:
            yield dataclasses.replace(_wrong(None, kind, source, (*place, name)), where=source.where(*place))


def _unknown(key: str, item: Any, fields: Mapping[str, Kind], source: Source, place: tuple[str | int, ...]) -> Problem:
    suggestion = did_you_mean(nearest(key, fields))
    section = f"`{'.'.join(map(str, place))}`" if place else "the experiment"
    return Problem(
        what=f"unknown key in {section}: {key}",
        value=_shown(key, item),
        where=source.where(*place, key),
        allowed=", ".join(sorted(fields)),
        next=suggestion or f"remove `{key}`",
    )
