"""mmengine's own loading of checkpoints (a `Pretrained` backbone, a teacher), made to run no code from a file.

For what it downloads mmengine lets torch trust the file. What it finds on the disk torch refuses instead if there is
more than tensors in it, as in each checkpoint that mmengine itself writes.
"""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path
from typing import Any

import torch
from mmengine.fileio import get_file_backend
from mmengine.runner import checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from model_def.storage.register import register
from model_def.weights.unpickle import load_harmless

MMENGINES_S3 = r"(\S+\:)?s3://"  # it means Petrel by it


def make_harmless() -> None:
    """Replace the functions by which mmengine opens files, for this process."""
    checkpoint.load_url = load_url
    CheckpointLoader.register_scheme(prefixes="", loader=load_from_local, force=True)
    CheckpointLoader.register_scheme(prefixes=(MMENGINES_S3, "gs://"), loader=load_from_store, force=True)


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """The content of a file on the CPU; mmengine copies it to where the model is.

    Raises:
        OSError: there is no such file.
        WeightsError: it isn't a checkpoint.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{filename} can not be found.")
    return load_harmless(path)


def load_from_store(filename: str, map_location: Any = None) -> Any:
    """The content of an object of a store, on the CPU.

    Raises:
        OSError: the store doesn't give it.
        WeightsError: it isn't a checkpoint.
    """
    register()
    with get_file_backend(filename).get_local_path(filename) as path:
        return load_harmless(Path(path))


def load_url(url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = True) -> Any:
    """The content of the file at `url`, kept where torch keeps its own (`$TORCH_HOME/hub/checkpoints`).

    Raises:
        OSError: it can't be downloaded.
        WeightsError: it isn't a checkpoint.
    """
    folder = Path(model_dir or os.path.join(torch.hub.get_dir(), "checkpoints"))
    path = folder / Path(urllib.parse.urlparse(url).path).name
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), progress=progress)
    return load_harmless(path)
