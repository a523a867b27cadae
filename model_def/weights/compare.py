"""What training would start from, as far as that is known without a download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from model_def.compose.tree import dicts
from model_def.errors import WeightsError
from model_def.experiment_types import Experiment
from model_def.weights import check_loadable, is_url, load_report, place, read_state_dict, source
from model_def.weights.initial import unloadable

OWN = "the model's own initialisation"


def compared(experiment: Experiment, config: Config, model: Callable[[], nn.Module]) -> str:
    """Where the weights come from, and how well they fit if they are on this disk.

    Args:
        experiment, config: of which `use_pretrained`, `load_from` and the initialisers are looked at.
        model: gives the model whose shapes count; its values don't matter.

    Raises:
        WeightsError: there are no such weights, or they are another model's.
    """
    tree, chosen = config.to_dict(), source(experiment)
    wanted = chosen or tree.get("load_from")
    if not wanted:
        nodes = [node for _, node in dicts(tree["model"]) if node.get("type") == "Pretrained"]
        names = list(dict.fromkeys(str(node.get("checkpoint")) for node in nodes))
        for name in names:
            if "://" not in name:
                _read(name, tree)
        return ", ".join(f"{name} (not downloaded)" if "://" in name else name for name in names) or OWN
    if is_url(wanted):
        return f"{wanted} (not downloaded)"
    report = load_report(model(), read_state_dict(Path(wanted)) if chosen else _read(wanted, tree))
    check_loadable(report, source=Path(wanted).name, place=place(experiment))
    return f"{wanted}: {report}"


def _read(name: str, config: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of a file that the config names itself."""
    try:
        return read_state_dict(Path(name))
    except WeightsError as error:
        raise unloadable(name, config, error.problems[0].what) from error
