"""`override_mmdet_config`: dotted or nested keys, applied last, and strict about what exists."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from model_def.compose import strict
from model_def.compose.coerce import coerce
from model_def.compose.components import Argument
from model_def.compose.tree import DELETE, Path, at, dotted, merged
from model_def.errors import ConfigError, Problem

WHOLE = ("custom_keys",)  # the keys below are names of parameters, dots and all


@dataclasses.dataclass(frozen=True, kw_only=True)
class Override:
    """One value to set. `new` says that the key was written with a `+`: it need not exist."""

    parts: tuple[str, ...]
    value: Any
    new: bool = False

    @property
    def rank(self) -> int:
        """Whole sections (and their absence) are set first, then types: the order of keys in a YAML doesn't matter."""
        listed = isinstance(self.value, list) and any(map(_is_dict, self.value))
        whole = self.value is None or isinstance(self.value, dict) or listed
        return 0 if whole else 1 if self.parts[-1] == "type" else 2


def override(
    config: dict[str, Any], overrides: dict[str, Any], where: Callable[..., str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """`config` with `overrides` applied, and notes; neither input is changed.

    Where an override names another `type`, what the old one had and the new one can't take is dropped, with a note.

    Args:
        config: the composed config so far.
        overrides: dotted keys, nested dicts, or both. List items go by index, `-1` is the last. `_delete_: true` in a
            section drops what was there. A key with a leading `+` need not exist.
        where: the place of a dotted key in the experiment, for messages.

    Raises:
        ConfigError: every path that neither exists nor is an argument of its component, with the nearest names.
    """
    flat = sorted(flatten(overrides), key=lambda item: item.rank)
    problems = list(_twice(flat, where))
    result = before = config
    for item in flat:
        try:
            result = _set(result, (), item.parts, _Setting(item=item, before=before))
        except strict.Misplaced as misplaced:
            problems.append(misplaced.problem(result, dotted(item.parts), item.value, where(*item.parts)))
        before = result if item.rank == 0 else before
    notes: list[str] = []
    for item in [] if problems else flat:
        if item.parts[-1] == "type":
            result, dropped = _without_leftovers(result, item.parts[:-1], {other.parts for other in flat})
            notes.extend(dropped)
        problems.extend(strict.touched(result, item.parts, where(*item.parts)))
    if problems:
        raise ConfigError.of(problems)
    return result, tuple(notes)


def flatten(overrides: dict[Any, Any], above: tuple[str, ...] = (), *, new: bool = False) -> Iterator[Override]:
    """One override for each leaf. A dict with `_delete_`, an empty dict and a list are leaves."""
    for key, value in overrides.items():
        parts = (*above, *str(key).lstrip("+").split("."))
        added = new or str(key).startswith("+")
        if parts[-1] == DELETE:
            yield Override(parts=parts[:-1], value={DELETE: value})
        elif isinstance(value, dict) and value and DELETE not in value and parts[-1] not in WHOLE:
            yield from flatten(value, parts, new=added)
        else:
            yield Override(parts=parts, value=value, new=added)


def _without_leftovers(
    config: dict[str, Any], path: tuple[str, ...], given: set[tuple[str, ...]]
) -> tuple[dict[str, Any], list[str]]:
    node = at(config, path)
    unknown = strict.unknown_arguments(node)
    leftover = [key for key in unknown if not any(parts[: len(path) + 1] == (*path, key) for parts in given)]
    kept = {key: value for key, value in node.items() if key not in leftover}
    whole = Override(parts=path, value={DELETE: True, **kept})
    notes = [f"`{dotted((*path, key))}` was dropped: {node['type']} has no such argument" for key in leftover]
    return (_set(config, (), path, _Setting(item=whole, before=config)) if leftover else config), notes


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _twice(flat: list[Override], where: Callable[..., str]) -> Iterator[Problem]:
    seen: set[tuple[str, ...]] = set()
    for item in flat:
        if item.parts in seen:
            yield Problem(
                what=f"`{dotted(item.parts)}` is set twice",
                value=item.value,
                where=where(*item.parts),
                allowed="each key once, dotted or nested",
                next="remove one of the two",
            )
        seen.add(item.parts)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Setting:
    """What stays the same on the way down to an override's place.

    Attributes:
        item: the override.
        before: the config with all whole sections set, and nothing else yet.
    """

    item: Override
    before: dict[str, Any]

    def may_add(self, node: dict[str, Any], path: Path, key: str) -> bool:
        if self.item.new or key == "type":  # any section may become a component
            return True
        section = strict.section(node, path)
        if section is None:  # a section that only its own code knows: it may be filled where the config has none
            return at(self.before, path) in (None, {})
        return section.accepts(key)


def _set(node: Any, path: Path, rest: tuple[str, ...], setting: _Setting, known: Argument | None = None) -> Any:
    """`node` (which stands at `path`) with the override's value at `rest`; only what changes is copied."""
    if not rest:
        return _value(setting.item, node, known)
    if isinstance(node, list | tuple):
        index = strict.index(node, path, rest[0])
        items = list(node)
        items[index] = _set(items[index], (*path, index), rest[1:], setting)
        return type(node)(items)
    if node is not None and not isinstance(node, dict):
        raise strict.Misplaced(path, node, rest[0])
    node = node or {}
    key, after = _key(node, rest)
    if not path and key not in strict.RUNNER and key in node and not setting.item.new:
        raise strict.Misplaced(path, node, key, inert=True)
    if key not in node and not setting.may_add(node, path, key):
        raise strict.Misplaced(path, node, key)
    return {**node, key: _set(node.get(key), (*path, key), after, setting, strict.argument(node, path, key))}


def _key(node: dict[str, Any], rest: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The longest key of `node` that `rest` begins with (a config's own keys may have dots), and what is left."""
    for length in range(len(rest), 1, -1):
        if ".".join(rest[:length]) in node:
            return ".".join(rest[:length]), rest[length:]
    return rest[0], rest[1:]


def _value(item: Override, old: Any, known: Argument | None) -> Any:
    value = item.value
    if not isinstance(value, dict):
        return coerce(value, old, known)
    old = {} if value.get(DELETE, False) else old
    value = coerce(merged({}, value), old, known)
    return merged(old, value) if item.parts[-1] in WHOLE else value
