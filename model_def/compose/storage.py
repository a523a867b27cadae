"""`file_client_args`: relative paths of the config become objects of a bucket, and all that reads them is told how."""

from __future__ import annotations

import functools
import os.path
from collections.abc import Callable
from typing import Any

from model_def.compose.datasets import LOADERS, annotation_file, is_relative, loader_datasets
from model_def.compose.strict import argument_names
from model_def.compose.tree import dotted, rebuilt, type_name, walk
from model_def.errors import ConfigError
from model_def.experiment_types import Experiment, FileClientArgs
from model_def.storage.address import is_remote
from model_def.storage.options import STORES

# The sections of what reads data.
READERS = (*LOADERS, "val_evaluator", "test_evaluator", "default_hooks", "custom_hooks", "tta_pipeline")
# What an evaluator reads; a data set joins all that it reads to its `data_root`.
EVALUATED = ("ann_file", "seg_prefix")
OPEN_THEIR_LIST = ("ReIDDataset", "BaseSegDataset", "ADE20KSegDataset")  # with open(), of all in mmdet
OWN_STORAGE = ("CheckpointHook",)  # writes somewhere else

Node = dict[str, Any]


def apply_storage(config: Node, experiment: Experiment) -> Node:
    """`config` with the experiment's `file_client_args`, or unchanged if it has none.

    Absolute paths and addresses stay, and so do `backend_args` that the config has itself.

    Raises:
        ConfigError: the bucket would hold nothing that the config reads.
    """
    given = experiment.hyperparameters.file_client_args
    if given is None or not given.backend_args:
        return config
    moved = _in_readers(config, functools.partial(_moved, base=given.base)) if given.base else config
    result = _in_readers(moved, functools.partial(_told, given=given))
    _require_use(result, given, experiment)
    return result


def client_place(experiment: Experiment) -> tuple[str, str]:
    """Where the experiment has its `file_client_args`: `data` is the old place."""
    old = ("data", "file_client_args")
    return old if experiment.source.has(*old) else ("hyperparameters", "file_client_args")


def located(path: str, experiment: Experiment) -> tuple[str, Node | None]:
    """Where a path of the experiment leads, and the `backend_args` to read it with."""
    given = experiment.hyperparameters.file_client_args
    if given is None or given.backend not in STORES:
        return path, None
    return _joined({"path": path}, given.base).get("path", path) if given.base else path, given.backend_args


def with_whole_addresses(config: Node) -> Node:
    """`config` in which no `gs://` path stands below a `data_root`: mmengine would join the two.

    Raises:
        ConfigError: a data set opens its list itself, and that is not on the disk.
    """
    for loader in LOADERS:
        for path, dataset in loader_datasets(config, loader):
            if type_name(dataset) in OPEN_THEIR_LIST and is_remote(listed := annotation_file(dataset)):
                raise _not_on_disk(dotted(path), dataset, listed)
    return _in_readers(config, _whole)


def _not_on_disk(place: str, dataset: Node, listed: str) -> ConfigError:
    return ConfigError(
        what=f"{type_name(dataset)} opens its list of images itself: that can't be in a bucket",
        value=listed,
        where=f"{place}.ann_file",
        allowed="an absolute path on the disk; the images may stay where they are",
        next=f"{place}.ann_file=/path/to/{listed.rpartition('/')[2]}",
    )


def _in_readers(config: Node, change: Callable[[Node], Node]) -> Node:
    return {key: rebuilt(value, change) if key in READERS else value for key, value in config.items()}


def _moved(node: Node, base: str) -> Node:
    """A data set or an evaluator whose relative paths begin at `base`."""
    if "data_root" in argument_names(node):
        return {**node, **_joined({"data_root": node.get("data_root") or ""}, base)}
    return {**node, **_joined({key: node[key] for key in EVALUATED if isinstance(node.get(key), str)}, base)}


def _told(node: Node, given: FileClientArgs) -> Node:
    """Something that reads files with its `backend_args`."""
    reads = "backend_args" in argument_names(node) and type_name(node) not in OWN_STORAGE
    return {**node, "backend_args": dict(given.backend_args)} if reads and not node.get("backend_args") else node


def _whole(node: Node) -> Node:
    prefixes: Any = node.get("data_prefix")
    prefixes = prefixes if isinstance(prefixes, dict) else {}
    files = {key: node[key] for key in ("ann_file", "proposal_file") if node.get(key)}
    root = node.get("data_root")
    if not root or not any(str(path).startswith("gs://") for path in (*prefixes.values(), *files.values())):
        return node
    whole = {"data_prefix": {**prefixes, **_joined(prefixes, root)}} if prefixes else {}
    return {**node, **_joined(files, root), **whole, "data_root": ""}


def _joined(paths: Node, base: str) -> Node:
    below = {key: path for key, path in paths.items() if is_relative(path)}
    return {key: os.path.join(base, "" if path == "." else path.removeprefix("./")) for key, path in below.items()}


def _require_use(config: Node, given: FileClientArgs, experiment: Experiment) -> None:
    values = [value for _, value in walk({key: config.get(key) for key in READERS})]
    start = given.base or (f"{STORES[given.backend]}://" if given.backend in STORES else "")
    if any(isinstance(value, str) and value.startswith(start) for value in values if start) or given.backend == "fake":
        return
    raise ConfigError(
        what="`file_client_args` has no effect: nothing in the config is read from this store",
        value=start,
        where=experiment.where(*client_place(experiment)),
        allowed="a `bucket_name`, in which relative paths are looked for; or paths that begin with "
        f"{STORES[given.backend]}://",
        next="write `bucket_name: …` and make `dataset.root` relative, or take `file_client_args` out",
    )
