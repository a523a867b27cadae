"""The parts of a whole config: each `type` is registered and takes its arguments, each section knows its keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from typing import Any

from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS

from model_def.compose import strict
from model_def.compose.files import ConfigFile
from model_def.compose.kinds import wrong_kinds
from model_def.compose.known import RUNNER, TESTED
from model_def.compose.known import section as known_section
from model_def.compose.tree import Path, dotted, has
from model_def.errors import Problem
from model_def.fields import did_you_mean, nearest

# Sections that a component of the user's own may read more keys of: only a slip is a mistake there.
OPEN = ("metainfo", "data_prefix")
OURS = (None, "mmdet", "mmengine", "mmcv")


def problems(
    config: dict[str, Any],
    read: tuple[ConfigFile, ...],
    where: Callable[..., str],
    meant: Collection[tuple[str, ...]] = (),
) -> Iterator[Problem]:
    """Unknown types, arguments and keys of everything that training reads, and values of a kind that can't be meant.

    Args:
        config: the whole config.
        read: the files that it began with.
        where: the place at which the value at a path was chosen.
        meant: paths at and below which nothing is a mistake.
    """
    if config.get("default_scope") not in OURS:  # nobody imports that package here
        return
    for name in (name for name in RUNNER if name in config and name not in TESTED):
        for path, node in strict.components(config[name], (name,)):
            found = {key: problem for key, problem in _of(node, path) if not _is_meant((*path, key), meant)}
            left = [key for key in found if _is_left(path, key, read)]
            if left:
                yield _leftovers(node, path, left, where(*path, "type"))
            for key in found.keys() - left:
                yield dataclasses.replace(found[key], where=where(*path, key))
    kinds = dict(
        found
        for new, old, name in _sections(config, read)
        for found in wrong_kinds(new, old, (name,), strict.argument(config, (), name))
    )
    for path, problem in ((path, problem) for path, problem in kinds.items() if not _is_meant(path, meant)):
        yield dataclasses.replace(problem, where=where(*path))


def _is_meant(path: Path, meant: Collection[tuple[str, ...]]) -> bool:
    parts = tuple(map(str, path))
    return any(parts[: len(one)] == one for one in meant)


def _sections(config: dict[str, Any], read: tuple[ConfigFile, ...]) -> Iterator[tuple[Any, Any, str]]:
    """What is looked at for kinds: what each file has changed, then the whole of it."""
    for one in read[1:]:
        yield from ((one.after[name], one.before.get(name), name) for name in one.loaded if name in RUNNER)
    yield from ((config[name], None, name) for name in RUNNER if name in config and name not in TESTED)


def _of(node: dict[str, Any], path: Path) -> Iterator[tuple[str, Problem]]:
    """What is wrong in one section, and with which of its keys."""
    if node.get("_scope_") not in OURS:
        return
    if node.get("type"):
        yield from strict.component_problems(node, path)
        return
    known = None if _is_read_by_own_class(node) else known_section(path)
    for key in node if known else ():
        if known and not known.accepts(key) and not _may_stand(node[key], path, key, [*known.arguments]):
            yield key, _unknown(key, node[key], path, [*known.arguments])


def _is_read_by_own_class(node: dict[str, Any]) -> bool:
    """Whether `optim_wrapper` is for a constructor of the user's own, of several optimizers for example."""
    kind = OPTIM_WRAPPER_CONSTRUCTORS.get(str(node.get("constructor")))
    return kind is not None and kind.__module__.partition(".")[0] not in OURS


def _may_stand(value: Any, path: Path, key: str, names: list[str]) -> bool:
    a_hook = path == ("default_hooks",) and isinstance(value, dict) and bool(value.get("type"))
    return a_hook or (path[-1] in OPEN and not nearest(key, names))


def _unknown(key: str, value: Any, path: Path, names: list[str]) -> Problem:
    return Problem(
        what=f"`{dotted((*path, key))}` is not a key of `{dotted(path)}`",
        value=value,
        allowed=", ".join(sorted(names)),
        next=did_you_mean(nearest(key, names)) or f"remove `{key}`",
    )


def _is_left(path: Path, key: str, read: tuple[ConfigFile, ...]) -> bool:
    """Whether an argument belongs to an older `type`, where a file laid over another chose a new one."""
    last = next((one for one in reversed(read) if has(one.loaded, (*path, "type"))), None)
    return last is not None and not has(last.loaded, (*path, key)) and has(last.before, (*path, key))


def _leftovers(node: dict[str, Any], path: Path, left: list[str], where: str) -> Problem:
    names = ", ".join(f"`{key}`" for key in left)
    return Problem(
        what=f"`{dotted(path)}` still has {names} of its former `type`, which {node['type']} does not take",
        value=node["type"],
        where=where,
        allowed=", ".join(sorted(strict.argument_names(node))),
        next="write `_delete_=True` beside the new `type`: it drops what was there",
    )
