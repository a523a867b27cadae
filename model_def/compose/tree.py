"""Plain nested dicts and lists: merge, walk, and address by dotted path. Nothing here changes its input."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]

DELETE = "_delete_"


def merged(base: Any, layer: Any) -> Any:
    """`layer` over `base` as mmengine does it: dicts merge, anything else replaces; `_delete_: True` drops the base.

    Unlike `mmengine.Config._merge_a_into_b` it leaves both inputs alone, and no `_delete_` behind.
    """
    if not isinstance(layer, dict):
        return copy.deepcopy(layer)
    keep = isinstance(base, dict) and not layer.get(DELETE, False)
    result = copy.deepcopy(base) if keep else {}
    for key, value in layer.items():
        if key != DELETE:
            result[key] = merged(result.get(key), value)
    return result


def walk(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value below `node` with its path, parents first."""
    yield path, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk(value, (*path, key))
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from walk(value, (*path, index))


def dicts(node: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every dict at or below `node`, with its path."""
    return ((path, value) for path, value in walk(node) if isinstance(value, dict))


def rebuilt(node: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A copy of `node` in which each dict is what `change` makes of it, the inner ones first."""
    if isinstance(node, dict):
        return change({key: rebuilt(value, change) for key, value in node.items()})
    return type(node)(rebuilt(item, change) for item in node) if isinstance(node, list | tuple) else node


def dotted(path: Path) -> str:
    """`("param_scheduler", 1, "milestones")` as `param_scheduler.1.milestones`."""
    return ".".join(map(str, path))


def type_name(node: Mapping[str, Any]) -> str:
    """`MultiStepLR` of a section with `type: mmengine.optim.MultiStepLR`, or with the class itself; "" without one."""
    kind = node.get("type") or ""
    return str(getattr(kind, "__name__", kind)).rpartition(".")[2]


def get(node: Any, path: str) -> Any:
    """The value at a dotted path of dict keys, or None."""
    for part in path.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def has(node: Any, path: Path) -> bool:
    """Whether there is a value at a path of keys and indices, None included."""
    for part in path:
        inside = isinstance(node, list | tuple) and isinstance(part, int) and part < len(node)
        if not inside and not (isinstance(node, dict) and part in node):
            return False
        node = node[part]
    return True


def at(node: Any, path: Path) -> Any:
    """The value at a path whose list items may be given as text; None where there is nothing."""
    for length in range(len(path), 0, -1):
        key = ".".join(map(str, path[:length]))
        if isinstance(node, dict) and key in node:
            return at(node[key], path[length:])
    if path and isinstance(node, list | tuple):
        part = str(path[0])
        inside = part.lstrip("-").isdigit() and -len(node) <= int(part) < len(node)
        return at(node[int(part)], path[1:]) if inside else None
    return None if path else node
