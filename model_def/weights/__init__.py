"""`use_pretrained`: the zoo's weights, a path or a URL becomes a clean local file that any loader may open."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from model_def.assignments import OVERRIDES
from model_def.compose import Composed
from model_def.compose.find import find_config
from model_def.errors import WeightsError
from model_def.experiment_types import Experiment
from model_def.storage.options import STORES, Options
from model_def.weights.download import cache_dir, fetch, is_url, sha256
from model_def.weights.fit import LoadReport, Place, check_loadable, load_report
from model_def.weights.initial import download_errors, without_covered_downloads, without_downloads
from model_def.weights.state_dict import read_state_dict
from model_def.weights.zoo import zoo_weights

__all__ = [
    "LoadReport",
    "Place",
    "check_loadable",
    "clean_file",
    "download_errors",
    "is_url",
    "load_report",
    "place",
    "pretrained",
    "read_state_dict",
    "source",
    "with_pretrained",
    "without_covered_downloads",
    "without_downloads",
]

PLACE = ("hyperparameters", "use_pretrained")
_CLEAN = ".clean.pth"


def source(experiment: Experiment) -> str | None:
    """The path or URL that `use_pretrained` means; None if there is none. Nothing is downloaded.

    Raises:
        WeightsError: the zoo has no weights for the config, or the file is missing.
    """
    wanted = experiment.hyperparameters.use_pretrained
    where = experiment.where(*PLACE)
    if wanted is False:
        return None
    if wanted is True:
        place = experiment.where("hyperparameters", "config_file")
        config = find_config(experiment.hyperparameters.config_file, context=experiment.directory, where=place)
        return zoo_weights(config, where=where)
    if is_url(wanted):
        return wanted
    path = experiment.directory / Path(wanted).expanduser()
    if not path.is_file():
        what = "no such weights file" if not path.exists() else "the weights are a directory, not a file"
        allowed = "true, a path, or an http(s)://, s3:// or gs:// URL"
        raise WeightsError(what=what, value=wanted, where=where, allowed=allowed, next=f"ls -l {path.parent}")
    return str(path)


def place(experiment: Experiment) -> Place:
    """Where the weights to start from were chosen: in `use_pretrained`, or in the config's `load_from`."""
    if experiment.hyperparameters.use_pretrained:
        return Place(where=experiment.where(*PLACE), min_loaded=experiment.hyperparameters.min_loaded)
    return Place(where=experiment.where(*OVERRIDES, "load_from"))


def pretrained(experiment: Experiment) -> Path | None:
    """The clean local file (see `clean_file`) of the experiment's `use_pretrained`, downloaded if it has to be.

    Raises:
        WeightsError: there are no such weights, they can't be reached, or they are broken.
    """
    found = source(experiment)
    if found is None:
        return None
    if not is_url(found):
        return clean_file(Path(found))
    return clean_file(fetch(found, where=experiment.where(*PLACE), options=_options(found, experiment)))


def _options(url: str, experiment: Experiment) -> Options | None:
    """Those of the experiment's own store, if that is where `url` leads."""
    store = experiment.hyperparameters.file_client_args
    same = store is not None and STORES.get(store.backend) == url.partition("://")[0]
    return Options.of(store.backend_args) if store and same else None


def with_pretrained(composed: Composed, experiment: Experiment) -> Composed:
    """`composed` with the experiment's `use_pretrained` as the config's `load_from`, or as it is if there is none.

    `Pretrained` initialisers that these weights overwrite are taken out: they would download for nothing.

    Raises:
        WeightsError: see `pretrained`.
    """
    path = pretrained(experiment)
    if path is None:
        return composed
    names = torch.load(path, weights_only=True, mmap=True)["state_dict"].keys()
    config = composed.config.to_dict()
    model, removed = without_covered_downloads(config["model"], names)
    replaced = (f"load_from = {config['load_from']} is replaced by use_pretrained",) if config.get("load_from") else ()
    notes = (*composed.notes, f"weights: {source(experiment)}", *replaced, *removed)
    return dataclasses.replace(composed, config=Config({**config, "model": model, "load_from": str(path)}), notes=notes)


def clean_file(path: Path) -> Path:
    """A copy in the cache that `torch.load(weights_only=True)` opens: `{"meta": {…}, "state_dict": {…}}`.

    Stock mmengine loads it as `load_from`. No code from the original file runs (see `unpickle`).

    Raises:
        WeightsError: `path` isn't a checkpoint, or the cache can't be written.
    """
    if path.parent == cache_dir() and path.name.endswith(_CLEAN):
        return path
    try:
        digest = sha256(path)
    except OSError as error:
        what, next_step = f"the weights can't be read ({error.strerror})", f"ls -l {path}"
        raise WeightsError(what=what, value=path.name, where=str(path), next=next_step) from error
    kept = cache_dir() / f"{path.stem.removesuffix(f'-{digest[:8]}')}-{digest[:16]}{_CLEAN}"
    if not kept.is_file():
        _keep({"meta": {"source": path.name, "sha256": digest}, "state_dict": read_state_dict(path)}, kept)
    return kept


def _keep(content: dict[str, Any], kept: Path) -> None:
    part = kept.with_suffix(f".{os.getpid()}.part")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, part)
        os.replace(part, kept)
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError when the disk is full
        what = f"the weights can't be kept in the cache ({getattr(error, 'strerror', None) or 'is the disk full?'})"
        next_step = "export XDG_CACHE_HOME=/a/directory/with/room"
        raise WeightsError(what=what, value=kept.name, where=str(kept.parent), next=next_step) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
