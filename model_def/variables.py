"""`${NAME}` and `${NAME:-default}` in an experiment's own values: environment variables, as a shell writes them.

A Determined master replaces nothing, so this happens where the experiment runs: on a cluster inside the container.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from model_def.errors import Problem
from model_def.yaml_source import Place, Source, as_scalar, normal

# A `$$` before the brace is a plain `$`.
_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^${}]*))?\}|(?P<broken>\$\{)")
EXPANDED = ("hyperparameters", "data")  # the parts of an experiment that Determined leaves to us


def expand(config: Mapping[str, Any], source: Source) -> tuple[dict[str, Any], dict[Place, str], list[Problem]]:
    """`config` with the variables of its `hyperparameters` and `data` replaced.

    A value that is one variable and nothing else becomes what YAML reads in its place: `${LR:-0.01}` is a number.
    A variable of the process comes before one that `environment.environment_variables` sets.

    Returns:
        The new mapping, what was written at each place that changed, and every variable that isn't set.
    """
    values = {**_container(config), **os.environ}
    written: dict[Place, str] = {}
    problems: list[Problem] = []

    def text(value: str, place: Place) -> Any:
        unknown = [found for found in _VARIABLE.finditer(value) if _is_wrong(found, values)][:1]
        problems.extend(_problem(found, value, source.where(*place)) for found in unknown)
        if unknown or "${" not in value:
            return value
        written[place] = value
        whole = _VARIABLE.fullmatch(value)
        result = _VARIABLE.sub(lambda found: _value(found, values), value)
        return as_scalar(result) if whole and whole["name"] else result

    parts = {name: _mapped(config[name], (name,), text) for name in EXPANDED if name in config}
    return {**config, **parts}, written, problems


def _container(config: Mapping[str, Any]) -> dict[str, str]:
    """The variables that a cluster's container would have; a list only (others depend on the device)."""
    section = config.get("environment")
    given = section.get("environment_variables") if isinstance(section, dict) else None
    pairs = (item.partition("=") for item in (given if isinstance(given, list) else ()) if isinstance(item, str))
    return {name: value for name, equals, value in pairs if equals}


def _mapped(value: Any, place: Place, text: Callable[[str, Place], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(item, (*place, *normal((key,))), text) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, (*place, str(index)), text) for index, item in enumerate(value)]
    return text(value, place) if isinstance(value, str) else value


def _value(found: re.Match[str], values: Mapping[str, str]) -> str:
    return (values.get(found["name"]) or found["default"] or "") if found["name"] else "${"


def _is_wrong(found: re.Match[str], values: Mapping[str, str]) -> bool:
    unset = found["name"] is not None and found["default"] is None and found["name"] not in values
    return unset or found["broken"] is not None


def _problem(found: re.Match[str], value: str, where: str) -> Problem:
    name = found["name"]
    return Problem(
        what=f"the environment variable {name} isn't set" if name else "`${` begins a variable, and this isn't one",
        value=value,
        where=where,
        allowed="${NAME}, ${NAME:-default}, or $${ for these signs themselves",
        next=f"export {name}=…, or write ${{{name}:-default}}; on a cluster set it in "
        "`environment.environment_variables`"
        if name
        else "write ${NAME} or ${NAME:-default}; a default has no variables and no braces in it",
    )
