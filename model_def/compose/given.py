"""Which values of a config the overrides give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_def.compose.override import flatten
from model_def.compose.tree import Path


def sets(overrides: dict[str, Any], config: dict[str, Any], path: Path) -> bool:
    """Whether `overrides` give the value at `path` of `config`, by itself or in a section or list."""
    return any(_inside(item.parts, config, path) for item in flatten(overrides))


def _inside(parts: Sequence[str], node: Any, path: Path) -> bool:
    """Whether `path` is at or below `parts`, whose list items are text and may count from the end."""
    if len(parts) > len(path):
        return False
    for part, key in zip(parts, path, strict=False):
        if isinstance(node, list | tuple) and isinstance(key, int):
            if not part.lstrip("-").isdigit() or int(part) % len(node) != key:
                return False
            node = node[key]
        elif part != key:
            return False
        else:
            node = node.get(key) if isinstance(node, dict) else None
    return True
