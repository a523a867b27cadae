"""What a search draws: the numbers of a Determined master with the same seed, and the points of a grid in its order.

A master draws with numpy's old generator, one searched hyperparameter after another by name, and then a name and a seed
for the trial. Below a nested mapping, such as `override_mmdet_config`, it takes the names in an order that changes from
run to run; here they are in order there as well.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from model_def.assignments import OVERRIDES
from model_def.experiment_fields import FIELDS, HYPERPARAMETERS, is_searched
from model_def.samples import whole
from model_def.yaml_source import Place, parse_value

Draw = dict[Place, Any]
_IDENTITY = 20  # bytes that a master draws for each trial's name (16) and seed (4)


def searched(node: Mapping[str, Any], place: Place = ("hyperparameters",)) -> dict[Place, dict[str, Any]]:
    """Each hyperparameter to choose, by its place. A list is a value: a master looks for nothing inside it."""
    found: dict[Place, dict[str, Any]] = {}
    for key in sorted(node, key=str):
        value = node[key]
        if is_searched(value):
            found |= {(*place, str(key)): value} if value["type"] != "const" else {}
        elif isinstance(value, dict):
            found |= searched(value, (*place, str(key)))
    return found


def inside_lists(node: Any, place: Place, *, inside: bool = False) -> Iterator[Place]:
    """Where something is searched inside a list."""
    if is_searched(node):
        yield from [place] if inside else []
    elif isinstance(node, dict | list):
        below = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in below:
            yield from inside_lists(value, (*place, str(key)), inside=inside or isinstance(node, list))


def draws(hyperparameters: Mapping[str, Any], seed: int) -> Iterator[Draw]:
    """Random draws without end, both ends of an `int` included."""
    state = np.random.RandomState(seed)
    spaces = searched(hyperparameters)
    while True:
        yield {place: _drawn(space, state) for place, space in spaces.items()}
        state.bytes(_IDENTITY)


def points(hyperparameters: Mapping[str, Any]) -> list[Draw]:
    """Every point of a grid. A master begins with the last one."""
    spaces = searched(hyperparameters)
    axes = [_axis(space) for space in spaces.values()]
    return [dict(zip(spaces, values, strict=True)) for values in itertools.product(*axes)][::-1]


def assignments(draw: Draw) -> list[str]:
    """The draw as `key=value` for the command line."""
    return [f"{short(place)}={_text(value)}" for place, value in draw.items()]


def short(place: Place) -> str:
    """The key that the command line takes: without its section, where that leaves no doubt."""
    below = place[: len(OVERRIDES)] == OVERRIDES
    rest = place[len(OVERRIDES) if below else 1 :]
    first = rest[0].split(".")[0]
    clear = first not in (*FIELDS, *HYPERPARAMETERS) if below else first in HYPERPARAMETERS and first not in FIELDS
    return ".".join(rest if clear else place)


def _drawn(space: Mapping[str, Any], state: np.random.RandomState) -> Any:
    if space["type"] == "categorical":
        return space["vals"][state.randint(len(space["vals"]))]
    low, high = space["minval"], space["maxval"]
    if space["type"] == "int":
        return low + int(state.randint(high - low + 1))
    return _scaled(space, float(state.uniform(low, high)))


def _axis(space: Mapping[str, Any]) -> list[Any]:
    if space["type"] == "categorical":
        return list(space["vals"])
    low, high, count = space["minval"], space["maxval"], space["count"]
    if space["type"] == "int":
        count = min(count, high - low + 1)
    steps = [low + i * (high - low) / (count - 1) for i in range(count)] if count > 1 else [(low + high) / 2]
    return [_nearest(step) for step in steps] if space["type"] == "int" else [_scaled(space, step) for step in steps]


def _scaled(space: Mapping[str, Any], value: float) -> float:
    return whole(space["base"] ** value) if space["type"] == "log" else value


def _nearest(value: float) -> int:
    """Halves go away from zero, as in Go; Python's `round` takes the even one."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def _text(value: Any) -> str:
    plain = isinstance(value, str) and value.strip() == value and parse_value(value, value) == value
    return value if plain else json.dumps(value, ensure_ascii=False)
