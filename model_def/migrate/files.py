"""The files of one data set: mmdet 2.x gave whole paths, today they are below `data_root`."""

from __future__ import annotations

import dataclasses
import os.path
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model_def.migrate.meaning import Meaning

# mmdet 2.x's name of a file or folder, and its place in a data set today.
FILES = {
    "ann_file": "ann_file",
    "img_prefix": "data_prefix.img",
    "seg_prefix": "data_prefix.seg",
    "data_root": "data_root",
}
JUDGED = ("ann_file", "seg_prefix")  # what evaluators read as well


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """A data set in the config.

    Attributes:
        path: dotted.
        node: its config.
        rest: what was written below it.
        prefix: how mmdet 2.x wrote the way from the split to here: `` or `dataset.`.
    """

    path: str
    node: Mapping[str, Any]
    rest: list[str]
    prefix: str = ""

    @classmethod
    def find(cls, path: str, node: Mapping[str, Any], parts: Sequence[str]) -> Place:
        """Follow mmdet 2.x's `dataset.dataset.ann_file` as far as the config has such wrappers."""
        rest, prefix = list(parts), ""
        while rest and rest[0] == "dataset":
            inner = node.get("dataset")
            path, node = (f"{path}.dataset", inner) if isinstance(inner, dict) else (path, node)
            prefix += f"{rest.pop(0)}."
        return cls(path=path, node=node, rest=rest, prefix=prefix)

    def inside(self) -> Place | None:
        """The data set that this one wraps; None if it wraps none, or several."""
        inner = self.node.get("dataset")
        if isinstance(inner, dict):
            return dataclasses.replace(self, path=f"{self.path}.dataset", node=inner)
        several = self.node.get("datasets")
        if isinstance(several, list | tuple) and len(several) == 1:
            return dataclasses.replace(self, path=f"{self.path}.datasets.0", node=several[0])
        return None

    def deepest(self) -> Place:
        """The one that reads files, or the concatenation of several."""
        inner = self.inside()
        return inner.deepest() if inner else self

    def innermost(self) -> Place | None:
        """The one that reads files; None if there are several."""
        deepest = self.deepest()
        return None if "datasets" in deepest.node else deepest

    def with_key(self, key: str) -> Place:
        """The outermost data set, from here inwards, that has `key` (a repeated one may have no pipeline)."""
        inner = self.inside()
        return self if key in self.node or inner is None else inner.with_key(key)


def own_files(old: Mapping[str, Any], split: str, prefix: str) -> Iterator[tuple[str, str]]:
    """The keys of `old` that give files of one data set, with the files' names."""
    for name in FILES:
        if f"{split}{prefix}{name}" in old:
            yield f"{split}{prefix}{name}", name


def files(key: str, name: str, given: Mapping[str, str], at: Place, evaluator: Any, evaluator_path: str) -> Meaning:
    """What `key`, which gives the file `name`, is today.

    Args:
        given: all files that were given for this data set, by mmdet 2.x's names.
        at: the data set.
        evaluator: the config's, one or several, of the split.
        evaluator_path: its name in the config.
    """
    root = str(at.node.get("data_root") or "")
    own = _own(at.node, given)
    if "data_root" in given:
        new = {f"{at.path}.{FILES[name]}": given[name]}
    elif all(_is_below(given[other], root) for other in given):
        new = {f"{at.path}.{FILES[name]}": _below(given[name], root)}
    else:  # relative paths were relative to the current directory: the config's own root must not come before them
        new = {f"{at.path}.data_root": "", f"{at.path}.{FILES[name]}": given[name]}
        new |= {f"{at.path}.{FILES[other]}": os.path.join(root, value) for other, value in own.items()}
    judged = {**own, **given} if name == "data_root" else {name: given[name]}
    for part in (part for part in JUDGED if part in judged):
        whole = os.path.join(given.get("data_root") or "", judged[part])
        new |= dict.fromkeys(_evaluators(evaluator, evaluator_path, part), whole)
    return Meaning(old=key, new=new)


def _own(node: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """The data set's own relative paths that weren't given, by mmdet 2.x's names."""
    prefix = node.get("data_prefix") or {}
    paths = {"ann_file": node.get("ann_file"), "img_prefix": prefix.get("img"), "seg_prefix": prefix.get("seg")}
    kept = {name: str(path) for name, path in paths.items() if path is not None and name not in given}
    return {name: path for name, path in kept.items() if not _is_absolute(path)}


def _evaluators(evaluator: Any, path: str, name: str) -> Iterator[str]:
    if isinstance(evaluator, list | tuple):
        for index, entry in enumerate(evaluator):
            yield from _evaluators(entry, f"{path}.{index}", name)
    elif isinstance(evaluator, dict) and name in evaluator:
        yield f"{path}.{name}"


def _is_absolute(path: str) -> bool:
    return os.path.isabs(path) or "://" in path


def _is_below(path: str, root: str) -> bool:
    return _is_absolute(path) or not root or path.startswith(root)


def _below(path: str, root: str) -> str:
    return path if _is_absolute(path) or not root else path[len(root) :].lstrip("/")
