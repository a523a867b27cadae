"""`override_mmdet_config`: dotted or nested keys, applied last, and strict about what exists."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from model_def.compose import strict
from model_def.compose.coerce import coerce
from model_def.compose.components import Argument
from model_def.compose.kinds import wrong_kinds
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Overridden:
    """The outcome.

    Attributes:
        config: with every override that could be applied.
        problems: what is wrong with the others.
        meant: the paths that were written with a `+`: nothing is said about them.
    """

    config: dict[str, Any]
    meant: frozenset[tuple[str, ...]] = frozenset()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def override(
    config: dict[str, Any], overrides: dict[str, Any], where: Callable[..., str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What `overridden` makes of the config, and its notes.

    Raises:
        ConfigError: with all of its problems.
    """
    found = overridden(config, overrides, where)
    if found.problems:
        raise ConfigError.of(found.problems)
    return found.config, found.notes


def overridden(config: dict[str, Any], overrides: dict[str, Any], where: Callable[..., str]) -> Overridden:
    """`config` with `overrides` applied; neither input is changed.

    Where an override names another `type`, what the old one had and the new one can't take is dropped, with a note.
    A path that neither exists nor is an argument of its component is a problem, with the nearest names.

    Args:
        config: the composed config so far.
        overrides: dotted keys, nested dicts, or both. List items go by index, `-1` is the last. `_delete_: true` in a
            section drops what was there. A key with a leading `+` need not exist.
        where: the place of a dotted key in the experiment, for messages.
    """
    flat = sorted(flatten(overrides), key=lambda item: item.rank)
    problems = [*_twice(flat, config, where), *_hidden(flat, where)]
    result = before = config
    applied: list[Override] = []
    misplaced: set[str] = set()
    for item in flat:
        try:
            result = _set(result, (), item.parts, _Setting(item=item, before=before))
            applied.append(item)
        except strict.Misplaced as error:
            if error.mistake not in misplaced:  # other keys below the same place have the same mistake
                problems.append(error.problem(result, dotted(item.parts), item.value, where(*item.parts)))
            misplaced.add(error.mistake)
        before = result if item.rank == 0 else before
    notes: list[str] = []
    for item in applied:
        if item.parts[-1] == "type":
            result, dropped = _without_leftovers(result, item.parts[:-1], {other.parts for other in flat})
            notes.extend(dropped)
        problems.extend(strict.touched(result, item.parts, where))
        problems.extend(_wrong_kinds(config, result, item, where))
    meant = frozenset(item.parts for item in flat if item.new)
    return Overridden(config=result, notes=tuple(notes), problems=tuple(problems), meant=meant)


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


def _wrong_kinds(
    before: dict[str, Any], after: dict[str, Any], item: Override, where: Callable[..., str]
) -> Iterator[Problem]:
    """What the override's place can't mean, beside what stood there; a `+` says that it is meant."""
    above, last = item.parts[:-1], item.parts[-1]
    node, old = at(after, above), at(before, above)
    known, replaced = None, at(before, item.parts)
    if isinstance(node, dict) and last != "type":
        known = strict.argument(node, above, last)
        replaced = replaced if isinstance(old, dict) and old.get("type") == node.get("type") else None
    for path, problem in () if item.new else wrong_kinds(at(after, item.parts), replaced, item.parts, known):
        yield dataclasses.replace(problem, where=where(*path))


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


def _hidden(flat: list[Override], where: Callable[..., str]) -> Iterator[Problem]:
    """Keys below one that is given a plain value as well: only one of the two could have an effect."""
    for item in flat:
        for above in flat:
            size = len(above.parts)
            plain = above.rank == 2 or above.value is None
            if plain and size < len(item.parts) and item.parts[:size] == above.parts:
                yield Problem(
                    what=f"`{dotted(item.parts)}` is set, and so is all of `{dotted(above.parts)}`",
                    value=above.value,
                    where=where(*item.parts),
                    allowed="one of them",
                    next="remove one of the two",
                )


def _twice(flat: list[Override], config: dict[str, Any], where: Callable[..., str]) -> Iterator[Problem]:
    seen: set[Path] = set()
    for item in flat:
        if _counted(config, item.parts) in seen:
            yield Problem(
                what=f"`{dotted(item.parts)}` is set twice",
                value=item.value,
                where=where(*item.parts),
                allowed="each key once, dotted or nested",
                next="remove one of the two",
            )
        seen.add(_counted(config, item.parts))


def _counted(config: dict[str, Any], parts: tuple[str, ...]) -> Path:
    """A path with its negative indices counted from the front: `-1` and `1` may be the same item."""
    counted: Path = ()
    for part in parts:
        node = at(config, counted)
        negative = isinstance(node, list | tuple) and part.startswith("-") and part[1:].isdigit()
        counted = (*counted, str(len(node) + int(part)) if negative else part)
    return counted


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
