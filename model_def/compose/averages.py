"""Averages of the weights (EMA): a checkpoint has room for one, and a validation would swap in both of two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

from model_def.compose.files import ConfigFile, place
from model_def.compose.tree import Path, dicts, dotted, type_name
from model_def.errors import Problem

HOOKS = ("default_hooks", "custom_hooks")


def averaged_twice(config: dict[str, Any], read: tuple[ConfigFile, ...], context: File) -> Iterator[Problem]:
    """The problem that a config has several EMAHooks, with the places in the files that were `read`."""
    found = [path for path, node in dicts({key: config.get(key) for key in HOOKS}) if type_name(node) == "EMAHook"]
    if len(found) > 1:
        yield Problem(
            what=f"the weights are averaged twice: {' and '.join(map(dotted, found))}",
            value="EMAHook",
            where="\n         ".join(_where(path, read, context) for path in found),
            allowed="one EMAHook",
            next=f"remove what adds `{dotted(found[0])}`: the config has an average of its own",
        )


def _where(path: Path, read: tuple[ConfigFile, ...], context: File) -> str:
    return place(read, (*path, "type"), context) or dotted(path)
