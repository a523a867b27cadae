"""What a Determined master would draw for searched hyperparameters: the ends of each range, every value of a choice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_def.assignments import OVERRIDES
from model_def.experiment_fields import is_searched


def count(hyperparameters: Any) -> int:
    """As few draws as have both ends of each range and all values of each choice; 1 if nothing is searched."""
    return max((len(values) for _, values in _searches(hyperparameters, ())), default=1)


def sampled(node: Any, number: int) -> Any:
    """`node` with draw `number` in the place of every search that is well written."""
    if values := _values(node):
        return values[number % len(values)]
    if isinstance(node, dict) and not is_searched(node):
        return {key: sampled(value, number) for key, value in node.items()}
    return [sampled(item, number) for item in node] if isinstance(node, list) else node


def chosen(hyperparameters: Any, number: int) -> dict[str, Any]:
    """What draw `number` chooses, by the key that the command line would take."""
    prefix = f"{'.'.join(OVERRIDES[1:])}."
    found = {".".join(map(str, path)): values for path, values in _searches(hyperparameters, ())}
    return {key.removeprefix(prefix): values[number % len(values)] for key, values in found.items()}


def drawn(hyperparameters: Any, number: int) -> str:
    """The same in words, without what every draw has."""
    every = [chosen(hyperparameters, each) for each in range(count(hyperparameters))]
    mine = chosen(hyperparameters, number)
    return " ".join(f"{key}={value}" for key, value in mine.items() if any(one[key] != value for one in every))


def _searches(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], list[Any]]]:
    if values := _values(node):
        yield path, values
    elif not is_searched(node):
        below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in below:
            yield from _searches(value, (*path, key))


def _values(node: Any) -> list[Any]:
    """All of a choice; both ends of a range, as the master sends them; [] for anything else."""
    if not is_searched(node):
        return []
    if node["type"] in ("const", "categorical"):
        vals = [node["val"]] if "val" in node else node.get("vals")
        return [*vals] if isinstance(vals, list) else []
    ends = [node.get(name) for name in ("minval", "maxval")]
    base = node.get("base") if node["type"] == "log" else 1
    if not all(isinstance(end, int | float) for end in (*ends, base)):
        return []
    return [whole(base**end) for end in ends] if node["type"] == "log" else ends


def whole(value: float) -> float:
    """A batch size that is searched on a `log` scale must be a whole number, and the master's floats count as such."""
    return int(value) if value >= 1 and float(value).is_integer() else value
