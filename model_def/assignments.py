"""`key=value` on the command line, put into the mapping that an experiment YAML holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_def.errors import ExperimentError, Problem
from model_def.experiment_fields import BOOLEAN, FIELDS, HYPERPARAMETERS, is_searched
from model_def.yaml_source import Place, normal, parse_value

OVERRIDES: Place = ("hyperparameters", "override_mmdet_config")


def assign(config: dict[str, Any], assignments: Sequence[str]) -> tuple[dict[Place, str], list[Problem]]:
    """Change `config` in place, in the order of `assignments`.

    A key whose first part is a field of the experiment YAML addresses the YAML; the name of a hyperparameter
    (`global_batch_size=4`) addresses that; any other key is an `override_mmdet_config` key. So is one below a yes or
    no: `auto_scale_lr=true` is the hyperparameter, `auto_scale_lr.base_batch_size=16` is the config's.

    Returns:
        Which assignment set which place, and every assignment that can't be read or put where it says.
    """
    assigned: dict[Place, str] = {}
    problems: list[Problem] = []
    for assignment in assignments:
        try:
            place, value = _parse(assignment)
            _put(config, place, value, assignment)
        except ExperimentError as error:
            problems.extend(error.problems)
            continue
        assigned[normal(place)] = assignment
    return assigned, problems


def still_written(
    lines: Mapping[Place, tuple[int, int]], assigned: Mapping[Place, str], config: Mapping[str, Any]
) -> dict[Place, tuple[int, int]]:
    """The lines of the file whose values the command line has not replaced.

    A mapping that is assigned to an override is laid over the file's; anything else replaces what was there.
    """
    hyperparameters = config.get("hyperparameters")
    overrides = hyperparameters.get("override_mmdet_config") if isinstance(hyperparameters, dict) else None
    gone = {
        place
        for place in assigned
        if place[: len(OVERRIDES)] != OVERRIDES or ".".join(place[len(OVERRIDES) :]) in (overrides or ())
    }
    return {place: line for place, line in lines.items() if not any(place[:n] in gone for n in range(len(place) + 1))}


def _parse(assignment: str) -> tuple[Place, Any]:
    key, equals, text = assignment.partition("=")
    parts = tuple(key.strip().split("."))
    if not equals or not all(part.strip("+ ") for part in parts):
        raise ExperimentError(
            what="not a `key=value`",
            value=assignment,
            where=f"command line ({assignment})",
            allowed="key=value, such as global_batch_size=4 or optim_wrapper.optimizer.lr=0.01",
            next=f"write `{key.strip('. ') or 'key'}=VALUE`",
        )
    value = parse_value(text, assignment)
    if parts[0] in FIELDS:
        return parts, value
    if parts[0] in HYPERPARAMETERS and (len(parts) == 1 or HYPERPARAMETERS[parts[0]] != BOOLEAN):
        return ("hyperparameters", *parts), value
    return (*OVERRIDES, ".".join(parts)), value


def _put(config: dict[str, Any], place: Place, value: Any, assignment: str) -> None:
    override = place[:2] == OVERRIDES and len(place) > 2
    parents = OVERRIDES if override else place[:-1]
    node: Any = config
    for depth, part in enumerate(parents):
        if isinstance(node, dict) and node.get(part) is None:
            node[part] = {}
        node = _step(node, part, place[:depth], assignment)
    if override:
        _set_override(node, ".".join(place[2:]), value)
    elif isinstance(node, list):
        node[_index(node, place[-1], place[:-1], assignment)] = value
    else:
        _mapping(node, place[:-1], assignment)[place[-1]] = value


def _step(node: Any, part: str, above: Place, assignment: str) -> Any:
    return (
        node[_index(node, part, above, assignment)]
        if isinstance(node, list)
        else _mapping(node, above, assignment)[part]
    )


def _mapping(node: Any, above: Place, assignment: str) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise ExperimentError(
            what=f"`{'.'.join(above)}` is a single value: nothing can be set below it",
            value=node,
            where=f"command line ({assignment})",
            allowed="a key below a mapping or a list",
            next=f"write `{'.'.join(above)}=VALUE`",
        )
    return node


def _index(node: list[Any], part: str, above: Place, assignment: str) -> int:
    try:
        index = int(part)
        node[index]
    except (ValueError, IndexError) as error:
        raise ExperimentError(
            what=f"`{'.'.join(above)}` is a list of {len(node)}: no such item",
            value=part,
            where=f"command line ({assignment})",
            allowed=f"0 to {len(node) - 1}, or -1 for the last",
            next=f"write `{'.'.join(above)}.0=…`, or the whole list",
        ) from error
    return index


def _set_override(overrides: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key, leaf by leaf, so that it wins over whatever the YAML says at or below it."""
    if isinstance(value, dict) and value and "_delete_" not in value and not is_searched(value):
        _forget(overrides, normal((key,)), plain=True)  # a mapping can't be laid over a number, or over null
        for name, item in value.items():
            _set_override(overrides, f"{key}.{name}", item)
        return
    _forget(overrides, normal((key,)))
    overrides[key] = value


def _forget(node: dict[Any, Any], target: Place, *, plain: bool = False) -> None:
    """Take out what is at or below `target`; or what is there only if it is `plain`, no mapping."""
    for key in list(node):
        place = normal((key,))
        is_plain = not isinstance(node[key], dict) or is_searched(node[key])
        here = place == target and is_plain if plain else place[: len(target)] == target
        if here:
            del node[key]
        elif place == target[: len(place)] and isinstance(node[key], dict):
            _forget(node[key], target[len(place) :], plain=plain)
            if not node[key]:
                del node[key]
