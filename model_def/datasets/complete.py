"""Builds a data set once: whole or not at all, by one process at a time, and never a second time.

A data set is built in a hidden directory beside its place and then renamed, so that a directory with our manifest is
complete. A lock, which the system frees when a process dies, lets a second process wait for the first.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from model_def.datasets.coco import Split
from model_def.errors import DataError, OutputError

_MANIFEST = "manifest.json"
_OWNER = "determined-mmdet"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSet:
    """A complete data set. `fresh` says whether this call built it; `splits` has the keys `train` and `val`."""

    root: Path
    classes: tuple[str, ...]
    splits: dict[str, Split]
    fresh: bool


Fill = Callable[[Path], dict[str, Split]]


def build_once(root: Path, *, settings: dict[str, Any], classes: tuple[str, ...], fill: Fill) -> DataSet:
    """The data set at `root`, built by `fill(directory)` unless one with the same settings is complete there.

    Args:
        settings: all that decides the content, with a version; must survive JSON. Other settings mean a rebuild.

    Raises:
        DataError: `root` holds something else, which is left alone.
        OutputError: the disk is full, or `root` can't be written.
    """
    root = root.expanduser().resolve()
    wanted = {"made_by": _OWNER, "classes": list(classes), **settings}
    try:
        if found := _complete(root, wanted):
            return found
        _refuse_what_is_not_ours(root)
        root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(root.with_name(f".{root.name}.lock")):
            return _complete(root, wanted) or _build(root, wanted, fill)
    except OSError as error:
        raise OutputError(
            what="the data set can't be written",
            value=str(root),
            where=str(error),
            allowed="a directory that you may write, on a disk with room",
            next="free some room, or choose another directory",
        ) from error


def _build(root: Path, wanted: dict[str, Any], fill: Fill) -> DataSet:
    _refuse_what_is_not_ours(root)
    partial, old = root.with_name(f".{root.name}.partial"), root.with_name(f".{root.name}.old")
    for left_by_a_killed_run in (partial, old):
        shutil.rmtree(left_by_a_killed_run, ignore_errors=True)
    try:
        partial.mkdir()
        splits = fill(partial)
        manifest = wanted | {"splits": {name: dataclasses.asdict(split) for name, split in splits.items()}}
        (partial / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        if root.exists():
            os.rename(root, old)
        os.rename(partial, root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return DataSet(root=root, classes=tuple(wanted["classes"]), splits=splits, fresh=True)


def _complete(root: Path, wanted: dict[str, Any]) -> DataSet | None:
    """The data set at `root`, if it was built with the wanted settings and no file of it was lost since."""
    manifest = _manifest(root)
    splits = {name: Split(**fields) for name, fields in manifest.pop("splits", {}).items()}
    if manifest != wanted or not all(_is_whole(root, split) for split in splits.values()):
        return None
    return DataSet(root=root, classes=tuple(wanted["classes"]), splits=splits, fresh=False)


def _is_whole(root: Path, split: Split) -> bool:
    folder = root / split.img_prefix
    return (root / split.ann_file).is_file() and folder.is_dir() and len(os.listdir(folder)) == split.images


def _manifest(root: Path) -> dict[str, Any]:
    """Our manifest at `root`; empty if there is none that we wrote."""
    try:
        manifest = json.loads((root / _MANIFEST).read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) and manifest.get("made_by") == _OWNER else {}


def _refuse_what_is_not_ours(root: Path) -> None:
    empty = not root.exists() or (root.is_dir() and not any(root.iterdir()))
    if not empty and not _manifest(root):
        raise DataError(
            what="something else is in the data set's place",
            value=root.name,
            where=str(root),
            allowed="a directory that is empty or not there yet",
            next=f"choose another directory, or move this one away: mv {root} {root}.mine",
        )
