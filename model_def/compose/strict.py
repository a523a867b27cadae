"""An override's path exists in the config, or is an argument of the component that it belongs to, or is a mistake."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from model_def.compose.components import (
    BUILDER_KEYS,
    Argument,
    Component,
    component,
    is_foreign,
    nearest_types,
)
from model_def.compose.known import MEANT, RUNNER
from model_def.compose.known import section as known_section
from model_def.compose.tree import Path, at, dotted, walk
from model_def.errors import Problem
from model_def.fields import did_you_mean, nearest

# The types below belong to another library: albumentations, `mmcv.ops`.
OPAQUE = ("Albu", "roi_layer")

__all__ = ["RUNNER", "Misplaced", "argument", "index", "section", "touched", "unknown_arguments"]


def section(node: dict[str, Any], path: Path) -> Component | None:
    """What may stand in `node`: its component's arguments, or the known keys of a section without a type."""
    found = component(node["type"]) if node.get("type") else None
    return found or known_section(path)


def argument(node: dict[str, Any], path: Path, key: str) -> Argument | None:
    """The argument that `key` is of the component at `path`, if that is known."""
    found = section(node, path)
    return found.arguments.get(key) if found else None


def index(node: Sequence[Any], path: Path, part: str) -> int:
    """`part` as an index of the list at `path`.

    Raises:
        Misplaced: it isn't one.
    """
    if part.lstrip("-").isdigit() and -len(node) <= int(part) < len(node):
        return int(part)
    raise Misplaced(path, node, part)


class Misplaced(Exception):
    """`key` can't be set in `node`, which stands at `path`."""

    def __init__(self, path: Path, node: Any, key: str, *, inert: bool = False) -> None:
        super().__init__(dotted((*path, key)))
        self.path, self.node, self.key, self.inert = path, node, key, inert
        # Below a value every key is the same mistake.
        self.mistake = str(self) if isinstance(node, dict | list | tuple) else dotted(path)

    def problem(self, config: dict[str, Any], full: str, value: Any, where: str) -> Problem:
        """The mistake in the user's words; `full` is the whole dotted path that was written."""
        here = dotted(self.path)
        if isinstance(self.node, list | tuple):
            size = len(self.node)
            allowed = f"0 to {size - 1}, or -1 for the last" if size else "the whole list"
            what = f"`{here}` is a list of {size}: it has no item `{self.key}`"
            return Problem(
                what=what, value=value, where=where, allowed=allowed, next=f"write `{here}.{max(size - 1, 0)}…`"
            )
        if not isinstance(self.node, dict):
            what = f"`{here}` is a value ({self.node!r}): nothing can be set below it"
            return Problem(
                what=what, value=value, where=where, allowed=f"a value for `{here}`", next=f"write `{here}: …`"
            )
        if self.inert:
            return inert(self.key, config, value, where)
        names = _names(self.node, self.path)
        near = [dotted((*self.path, name)) for name in nearest(self.key, names)] or _elsewhere(config, full)
        return Problem(
            what=f"`{full}` does not exist in the config" + _belongs(self.node),
            value=value,
            where=where,
            allowed=f"in `{here or 'the config'}`: {', '.join(names)}",
            next=did_you_mean(near) or f"write `+{full}` if it has to be added",
        )


def touched(config: dict[str, Any], parts: tuple[str, ...], where: Callable[..., str]) -> Iterator[Problem]:
    """What is wrong with the components that an override made or changed: unknown types and unknown arguments."""
    is_type = parts[-1] == "type"
    for path, node in [(parts[:-1], at(config, parts[:-1]))] if is_type else components(at(config, parts), parts):
        for key, problem in component_problems(node, path):
            yield dataclasses.replace(problem, where=where(*path, key))


def components(node: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every section at or below `node`, but for those of another library."""
    if path[-1] in OPAQUE:
        return
    if isinstance(node, dict):
        yield path, node
    if isinstance(node, dict) and node.get("type") in OPAQUE:
        return
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else ()
    for key, item in below:
        yield from components(item, (*path, key))


def component_problems(node: dict[str, Any], path: Path) -> Iterator[tuple[str, Problem]]:
    """A `type` that nothing has registered, or else the arguments that it does not have; each with its key."""
    kind = node.get("type")
    found = component(kind) if kind else None
    if found is None:
        # Names of components begin with a capital; `type: nms` or `type: norm` are other things.
        if isinstance(kind, str) and kind[:1].isupper() and not is_foreign(kind):
            near = did_you_mean(nearest_types(kind))
            allowed = "a name that mmengine, mmcv, mmdet or your `custom_imports` registered"
            what = f"`{dotted(path)}.type`: nothing is registered under that name"
            yield "type", Problem(what=what, value=kind, allowed=allowed, next=near or "python -m model_def ls")
        return
    for key in unknown_arguments(node):
        names = sorted(found.arguments)
        yield (
            key,
            Problem(
                what=f"`{dotted((*path, key))}` is not an argument of {kind}",
                value=node[key],
                allowed=", ".join(names),
                next=did_you_mean(nearest(key, names)) or f"remove `{key}`",
            ),
        )


def unknown_arguments(node: dict[str, Any]) -> list[str]:
    """The keys beside a `type` that its component has no argument for."""
    found = component(node["type"]) if node.get("type") else None
    return [key for key in node if not found.accepts(key)] if found else []


def inert(key: str, config: dict[str, Any], value: Any, where: str) -> Problem:
    """A name at the top of the config that nothing reads, with the key that has the effect."""
    what = f"`{key}` has no effect: nothing reads it once the config is assembled"
    meant = MEANT.get(key)
    near = [meant] if meant else nearest(key, RUNNER) or _elsewhere(config, key)
    return Problem(
        what=what, value=value, where=where, allowed=", ".join(RUNNER), next=did_you_mean(near) or f"remove `{key}`"
    )


def argument_names(node: dict[str, Any]) -> list[str]:
    """The arguments of the component that `node` is; none if it isn't one."""
    found = component(node["type"]) if node.get("type") else None
    return [*found.arguments] if found else []


def _names(node: dict[str, Any], path: Path) -> list[str]:
    found = section(node, path)
    names = {*(found.arguments if found else ()), *node} - {key for key in BUILDER_KEYS if key not in node}
    return sorted(names & {*RUNNER} if not path else names)


def _belongs(node: dict[str, Any]) -> str:
    return f", and {node['type']} has no such argument" if node.get("type") else ""


def _elsewhere(config: dict[str, Any], full: str) -> list[str]:
    """Paths of the config with the same last name, the ones that look most like `full` first."""
    if full in MEANT:
        return [MEANT[full]]
    last = full.rsplit(".", 1)[-1]
    paths = [dotted(path) for path, _ in walk(config) if path and path[0] in RUNNER and path[-1] == last]
    head = MEANT.get(full.partition(".")[0])
    return nearest(full, paths) or sorted(paths, key=len)[:3] or ([head] if head else [])
