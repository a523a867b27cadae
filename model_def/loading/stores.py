"""Where the images of a data set are: the store, and the objects of each sample."""

from __future__ import annotations

from typing import Any

from mmengine.fileio import get_file_backend

from model_def.loading.memory import transforms
from model_def.storage.address import is_remote
from model_def.storage.backend import StoreBackend


def store_of(dataset: Any) -> StoreBackend | None:
    """The store that the images of a data set are in; None if that is the disk, or can't be told."""
    found = _info(dataset, 0) if len(dataset) else {}
    first = _paths(found) or [path for frame in found.get("images", ())[:1] for path in _paths(frame)]
    loaders = [each for each in transforms(dataset) if hasattr(each, "backend_args")]  # of images, then of others
    if not first or not loaders:
        return None
    backend = get_file_backend(first[0], backend_args=loaders[0].backend_args, enable_singleton=True)
    return backend if isinstance(backend, StoreBackend) else None


def paths(dataset: Any, index: Any) -> list[str]:
    """The objects that a sample is made from, as far as the annotations name them. A video's frames are drawn later."""
    return _paths(_info(dataset, index))


def _info(dataset: Any, index: Any) -> dict[str, Any]:
    while not hasattr(dataset, "get_data_info") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    if not hasattr(dataset, "get_data_info") or not isinstance(index, int):
        return {}
    info: dict[str, Any] = dataset.get_data_info(index)
    return info


def _paths(info: dict[str, Any]) -> list[str]:
    return [value for key, value in info.items() if key.endswith("path") and is_remote(value)]
