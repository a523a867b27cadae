"""Where each value of a composed config comes from, and what it replaced."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path as File
from typing import Any

from model_def.compose.lines import written
from model_def.compose.tree import Path
from model_def.yaml_source import COMMAND_LINE

_NOTHING = object()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """One place that gave a value: the value (of an older place in a config file: its text) and where it stands."""

    value: Any
    where: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """One step of the assembly.

    Attributes:
        config: the whole config after the step.
        origins: where the step finds the value at a path; where it has several places, the newest first.
        gives: whether the step gives the value at a path even if it is the one that was there before.
    """

    config: dict[str, Any]
    origins: Callable[[Path], Sequence[Origin]]
    gives: Callable[[Path], bool] = lambda path: False


def from_file(file: File, config: dict[str, Any]) -> Layer:
    """The layer of a config file, with `config` after it."""

    def origins(path: Path) -> list[Origin]:
        places = [Origin(value=place.text, where=f"{place.file.name}:{place.line}") for place in written(file, path)]
        return places or [Origin(value=None, where=file.name)]

    return Layer(config=config, origins=origins, gives=lambda path: any(written(file, path)))


def from_experiment(
    where: Callable[[Path], str], config: dict[str, Any], *, gives: Callable[[Path], bool] = lambda path: False
) -> Layer:
    """The layer of something in the experiment YAML; `where` tells the place for a path of the config."""
    return Layer(config=config, origins=lambda path: [Origin(value=None, where=_short(where(path)))], gives=gives)


def from_nowhere(reason: str, config: dict[str, Any]) -> Layer:
    """The layer of what nobody wrote."""
    return Layer(config=config, origins=lambda path: [Origin(value=None, where=reason)])


def history(layers: Sequence[Layer], path: Path) -> Iterator[Origin]:
    """Every place that gave the value at `path`, the one that has the effect first."""
    for layer in givers(layers, path):
        first, *older = layer.origins(path)
        yield dataclasses.replace(first, value=_value(layer.config, path))
        yield from older


def givers(layers: Sequence[Layer], path: Path) -> Iterator[Layer]:
    """The layers that gave the value at `path`, the one that has the effect first."""
    empty = Layer(config={}, origins=lambda path: [])
    for before, layer in reversed(list(itertools.pairwise((empty, *layers)))):
        value = _value(layer.config, path)
        if value is not _NOTHING and (not _equal(value, _value(before.config, path)) or layer.gives(path)):
            yield layer


def leaves(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that is no section: lists of plain values are one value, lists of sections are not."""
    items: list[tuple[Any, Any]] = []
    if isinstance(node, dict):
        items = list(node.items())
    elif isinstance(node, list | tuple) and any(isinstance(item, dict) for item in node):
        items = list(enumerate(node))
    if not items:
        yield path, node
    for key, item in items:
        yield from leaves(item, (*path, key))


def _value(node: Any, path: Path) -> Any:
    for part in path:
        if isinstance(node, dict):
            node = node.get(part, _NOTHING)
        elif isinstance(node, list | tuple) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            return _NOTHING
    return node


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _short(where: str) -> str:
    """`folder/quickstart.yaml:12:3 (some.key)` as `quickstart.yaml:12`; a command line's stays."""
    if where.startswith(COMMAND_LINE):
        return where
    place, _, written = where.partition(" (")
    _, comma, variable = written.partition(", ${")
    return ":".join(File(place).name.split(":")[:2]) + (f" ${{{variable.rstrip(')')}" if comma else "")
