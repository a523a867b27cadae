"""Searched hyperparameters: whoever runs one trial has to give each a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_def.assignments import OVERRIDES
from model_def.errors import Problem
from model_def.experiment_fields import HYPERPARAMETERS, SEARCHED, is_searched
from model_def.fields import problems as field_problems
from model_def.samples import count, sampled
from model_def.yaml_source import Place, Source, normal


def wrong(value: Any, source: Source, place: Place) -> Iterator[Problem]:
    """What is wrong with the searches in `value` themselves."""
    if is_searched(value):
        found = [*field_problems(value, SEARCHED[value["type"]], source, place)]
        yield from found or _impossible(value, source, place)
    elif isinstance(value, dict | list):
        for key, item in _children(value):
            yield from wrong(item, source, (*place, *normal((key,))))


def resolve(value: Any, source: Source, place: Place) -> tuple[Any, list[Problem]]:
    """`value` with every `{type: const, val: …}` replaced by its `val`; each other search in it is a problem."""
    if is_searched(value):
        found = [*wrong(value, source, place)]
        if value["type"] == "const" and not found:
            return resolve(value.get("val"), source, place)
        return value, found or [_unsampled(value, source, place)]
    if not isinstance(value, dict | list):
        return value, []
    results = {key: resolve(item, source, (*place, *normal((key,)))) for key, item in _children(value)}
    found = [problem for _, problems in results.values() for problem in problems]
    resolved = {key: item for key, (item, _) in results.items()}
    return (resolved if isinstance(value, dict) else list(resolved.values())), found


def _impossible(value: dict[str, Any], source: Source, place: Place) -> Iterator[Problem]:
    """Searches with nothing to choose from, and those whose values a hyperparameter of ours can't have."""
    where, name = source.where(*place), ".".join(map(str, place))
    ranged = value["type"] in ("double", "int", "log")
    if value.get("vals") == [] or (ranged and value["minval"] > value["maxval"]):
        what = f"`{name}` has nothing to choose from"
        allowed, write = "one value or more", "write a `minval` below `maxval`, or `vals` with items"
        yield Problem(what=what, value=value, where=where, allowed=allowed, next=write)
    elif len(place) == 2 and (kind := HYPERPARAMETERS.get(place[1])):
        for number in range(count(value)):
            yield from field_problems(sampled(value, number), kind, source, place)


def without(value: Any) -> Any:
    """`value` without the entries of its mappings that wait for a search, or for an environment variable."""
    if not isinstance(value, dict) or is_searched(value):
        return value
    kept = {key: without(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if not waits(item)}


def waits(value: Any) -> bool:
    """Whether a search or an environment variable has to give something of the value."""
    if isinstance(value, dict | list):
        return is_searched(value) or any(waits(item) for _, item in _children(value))
    return isinstance(value, str) and "${" in value


def refused(value: Any, place: Place) -> Iterator[Place]:
    """Places of plain mappings with a `type` of their own: a Determined master takes each for a misspelled search.

    Inside lists and inside `{type: const, val: …}` it takes them as they are.
    """
    if isinstance(value, dict) and not is_searched(value):
        if "type" in value:
            yield place
        for key, item in value.items():
            yield from refused(item, (*place, *normal((key,))))


def _children(value: dict[Any, Any] | list[Any]) -> Iterator[tuple[Any, Any]]:
    yield from value.items() if isinstance(value, dict) else enumerate(value)


def _unsampled(value: dict[str, Any], source: Source, place: Place) -> Problem:
    key = ".".join(place[2:] if place[:2] == OVERRIDES else place[1:])
    file, given = source.name or "EXPERIMENT.yaml", f"{key}={_example(value)}"
    return Problem(
        what=f"`{key}` is chosen by a search, and one trial needs a value",
        value=value,
        where=source.where(*place),
        allowed=_range(value),
        next=f"python -m model_def search {file}, or give it a value: python -m model_def train {file} {given}",
    )


def _range(value: dict[str, Any]) -> str:
    if value["type"] == "categorical":
        return " or ".join(repr(item) for item in value["vals"])
    if value["type"] == "log":
        return f"{value['base']}^{value['minval']} to {value['base']}^{value['maxval']}"
    return f"{value['minval']} to {value['maxval']}"


def _example(value: dict[str, Any]) -> Any:
    if value["type"] == "categorical":
        return value["vals"][0] if value["vals"] else "VALUE"
    return value["base"] ** value["minval"] if value["type"] == "log" else value["minval"]
