"""The classes of a data set that is built."""

from __future__ import annotations

from typing import Any


def class_names(dataset: Any) -> tuple[str, ...]:
    """The names in the order of their labels; none where there are no classes, or several data sets with their own.

    mmdet's ConcatDataset has a list in the place of `metainfo`, one entry for each data set, unless they are the same.
    """
    about = getattr(dataset, "metainfo", None)
    return tuple(about.get("classes") or ()) if isinstance(about, dict) else ()
