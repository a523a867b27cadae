"""Searcher hyperparameters: off a cluster nothing samples them, so each needs a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_def.assignments import OVERRIDES
from model_def.errors import Problem
from model_def.experiment_fields import SEARCHED, is_searched
from model_def.fields import problems as field_problems
from model_def.yaml_source import Place, Source, normal


def resolve(value: Any, source: Source, place: Place) -> tuple[Any, list[Problem]]:
    """`value` with every `{type: const, val: …}` replaced by its `val`; each other search in it is a problem."""
    if is_searched(value):
        found = [*field_problems(value, SEARCHED[value["type"]], source, place)]
        if value["type"] == "const" and not found:
            return resolve(value.get("val"), source, place)
        return value, found or [_unsampled(value, source, place)]
    if not isinstance(value, dict | list):
        return value, []
    results = {key: resolve(item, source, (*place, *normal((key,)))) for key, item in _children(value)}
    found = [problem for _, problems in results.values() for problem in problems]
    resolved = {key: item for key, (item, _) in results.items()}
    return (resolved if isinstance(value, dict) else list(resolved.values())), found


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
    return Problem(
        what=f"`{key}` is chosen by a search, which needs a Determined cluster",
        value=value,
        where=source.where(*place),
        allowed=_range(value),
        next=f"give it a value: python -m model_def train {source.name or 'EXPERIMENT.yaml'} {key}={_example(value)}",
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
