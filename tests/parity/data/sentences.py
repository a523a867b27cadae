"""Sentences about the shapes in a picture."""

from __future__ import annotations

from typing import Any

SHAPES = ("rectangle", "ellipse")


def sentence(entries: list[dict[str, Any]]) -> tuple[str, list[list[int]]]:
    """A sentence that names each object, and where in it each name begins and ends."""
    text, spans = "", []
    for entry in entries:
        text += " and a " if text else "a "
        name = SHAPES[(entry["category_id"] - 1) % len(SHAPES)]
        spans.append([len(text), len(text) + len(name)])
        text += name
    return text + ".", spans
