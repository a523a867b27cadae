"""A trained checkpoint as one of mmdet's detectors."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from mmdet.apis import init_detector
from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from model_def.building import building
from model_def.compose.read import read_values
from model_def.errors import ConfigError, UserError, WeightsError
from model_def.output import ROOT, Model, find_model
from model_def.weights import load_report

if TYPE_CHECKING:
    from torch import nn

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def load_model(checkpoint: str | os.PathLike[str], device: str = "cpu") -> nn.Module:
    """A trained detector, ready for `mmdet.apis.inference_detector`: weights, `cfg`, `dataset_meta`, test pipeline.

    No code of the checkpoint is run. Modules that its config names in `custom_imports` are imported from where you are.

    Args:
        checkpoint: an output directory (its best checkpoint), a checkpoint's folder, its `model.pth`, or the UUID of a
            checkpoint on a cluster, whose master is `$DET_MASTER`.
        device: `cpu`, `cuda`, `cuda:1`, …

    Raises:
        WeightsError: there is no such checkpoint, it can't be fetched, or it is none of ours.
        ConfigError: its config can't be read, or its model can't be built.
        UserError: there is no such device, or no master answers that knows you.
    """
    found = find_checkpoint(checkpoint)
    return load_detector(found.config, found.weights, device=device)


def find_checkpoint(name: str | os.PathLike[str]) -> Model:
    """The files of a checkpoint by its path or UUID, fetched if it is a cluster's.

    Raises:
        WeightsError: there is none.
    """
    text = os.fspath(name)
    if UUID.fullmatch(text) and not Path(text).exists():
        from model_def.platform.download import downloaded

        return dataclasses.replace(find_model(downloaded(text)), home=ROOT / text)
    return find_model(Path(text))


def load_detector(config: Path | None, weights: Path, *, device: str | None = None) -> nn.Module:
    """The detector of a resolved config with its weights.

    Args:
        config: a `config.py` that training wrote; None: the one that the weights' file holds.
        weights: a `model.pth`.
        device: by default the GPU, if there is one.

    Raises:
        ConfigError: the config can't be read, or its model can't be built.
        WeightsError: the file is no checkpoint, one of another model, or one that holds more than plain tensors.
        UserError: there is no such device.
    """
    device = _checked(device or ("cuda:0" if torch.cuda.is_available() else "cpu"))
    content = _read_weights(weights)
    parsed = _config(lambda: _own_config(content, weights) if config is None else config.read_text(), config or weights)
    with building("model"):
        # With `cfg_options` mmdet leaves `model.backbone` alone, which semi-supervised models don't have.
        model: nn.Module = init_detector(parsed, str(weights), palette="random", device=device, cfg_options={})
    report = load_report(model, content["state_dict"])
    if report.missing or report.mismatched:
        what = f"the weights are another model's than the config's: {report.lines()[0]}"
        raise _weights_error(weights, what, str(config or weights))
    return model


def _checked(device: str) -> str:
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    known = ["cpu", *(["cuda"] if gpus else []), *gpus]
    if device not in known:
        what, where = "there is no such device here", "load_model(…, device=…)"
        raise UserError(what=what, value=device, where=where, allowed=", ".join(known), next="python -m model_def env")
    return device


def _config(text: Callable[[], str], name: Path) -> Config:
    try:
        config = read_values(text())
        if config.get("custom_imports"):
            import_modules_from_strings(**config["custom_imports"])
        return config
    except UserError:
        raise
    except Exception as error:  # modules of the user's own may raise anything
        raise ConfigError(
            what=f"the config can't be read ({type(error).__name__}: {error})",
            value=name.name,
            where=str(name),
            allowed="the config.py that training wrote; its custom_imports must be found from here",
            next="take another output directory: ls output/*",
        ) from error


def _own_config(content: Mapping[str, Any], weights: Path) -> str:
    text = (content.get("meta") or {}).get("cfg")
    if not isinstance(text, str):
        raise _weights_error(weights, "the file doesn't say which model its weights are of", "meta.cfg")
    return text


def _read_weights(path: Path) -> Mapping[str, Any]:
    try:
        content: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        content["state_dict"].keys()
        return content
    except Exception as error:  # a broken file can make the unpickler raise anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise _weights_error(path, "the weights can't be loaded", reason) from error


def _weights_error(path: Path, what: str, where: str) -> WeightsError:
    beside = path.with_name("model.pth")
    next_step = (
        f"take {beside}" if beside.is_file() and path != beside else "take another output directory: ls output/*"
    )
    return WeightsError(
        what=what, value=str(path), where=where, allowed="a model.pth that training wrote", next=next_step
    )
