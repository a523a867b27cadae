"""The classes of a data set that is built, and how their number is said."""

from __future__ import annotations

from typing import Any


def class_names(dataset: Any) -> tuple[str, ...]:
    """The names in the order of their labels; none where there are no classes, or several data sets with their own.

    mmdet's ConcatDataset has a list in the place of `metainfo`, one entry for each data set, unless they are the same.
    """
    about = getattr(dataset, "metainfo", None)
    return tuple(about.get("classes") or ()) if isinstance(about, dict) else ()


def so_many(classes: int) -> str:
    """`1 class`, `2 classes`."""
    return f"{classes} {'class' if classes == 1 else 'classes'}"
