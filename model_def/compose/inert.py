"""What a config file of the user's own says in vain: names that nothing reads, and values that something replaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path as File
from typing import Any

from model_def.compose import strict
from model_def.compose.files import ConfigFile, is_ours
from model_def.compose.known import RUNNER, TESTED
from model_def.compose.known import section as known_section
from model_def.compose.origin import Layer, leaves
from model_def.compose.tree import DELETE, Path, at, dotted
from model_def.compose.variables import unread
from model_def.errors import Problem


def inert(file: ConfigFile, context: File) -> Iterator[Problem]:
    """Top-level names that nothing refers to, and keys of free sections that the config does not have.

    Sections that know their keys are looked at when the config is whole: see `parts`.
    """
    yield from _variables(file, context)
    for path, key in _added(file.loaded, file.before):
        written = file.written((*path, key))
        if written and is_ours(written.file) and _is_free(at(file.after, path), path):
            misplaced = strict.Misplaced(path, at(file.before, path), str(key))
            value, where = at(file.loaded, (*path, key)), file.place(written, context)
            yield misplaced.problem(file.before, dotted((*path, key)), value, where)


def replaced(file: ConfigFile, layers: Sequence[Layer], context: File) -> Iterator[Problem]:
    """Values that a file lays over the config, and that one of the next `layers` replaces: they have no effect.

    Args:
        layers: the config with all files, then the steps up to the overrides, which may replace anything.
    """
    for path, value in leaves({key: file.loaded[key] for key in file.loaded if key in RUNNER and key not in TESTED}):
        later = next((layer for layer in layers if at(layer.config, path) != value), None)
        written = file.written(path) if later and later is not layers[0] else None
        if later and written and is_ours(written.file):
            yield Problem(
                what=f"`{dotted(path)}` has no effect: a later step replaces it",
                value=value,
                where=file.place(written, context),
                allowed=f"what {later.origins(path)[0].where} says",
                next="remove it from the file",
            )


def _variables(file: ConfigFile, context: File) -> Iterator[Problem]:
    if file.path.suffix != ".py":  # JSON and YAML can't compute: what isn't a section has no use there
        for key in file.loaded.keys() - {*RUNNER}:
            yield strict.inert(key, file.after, file.loaded[key], file.place(file.path, context))
        return
    for variable in unread(file.path, is_ours):
        if variable.name not in RUNNER and variable.name in file.loaded:
            yield strict.inert(variable.name, file.after, file.loaded[variable.name], file.place(variable, context))


def _added(loaded: Any, before: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Keys that a layer adds to sections which have others already."""
    if not (isinstance(loaded, dict) and isinstance(before, dict) and before) or loaded.get(DELETE):
        return
    for key, value in loaded.items():
        if key in before:
            yield from _added(value, before[key], (*path, key))
        elif path and key != DELETE:
            yield path, key


def _is_free(node: dict[str, Any], path: Path) -> bool:
    return not node.get("type") and known_section(path) is None
