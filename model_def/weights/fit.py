"""How well weights fit a model: what will load, and what will not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
import torch.nn as nn

from model_def.errors import WeightsError

THRESHOLD = 0.5  # a detector's backbone alone is about half of its parameters


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What happens when a state dict is loaded into a model.

    Attributes:
        loaded: names that are in both with equal shapes.
        missing: the model's names that the weights don't have.
        unexpected: the weights' names that the model doesn't have.
        mismatched: names with another shape: (name, shape in the weights, shape in the model).
        tensors: the part of the model's tensors that will load, 0 to 1.
        parameters: the part of the model's numbers that will load, 0 to 1.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    tensors: float
    parameters: float

    def __str__(self) -> str:
        """One line for the user."""
        text = f"{self.parameters:.1%} of the parameters ({self.tensors:.1%} of the tensors) load"
        others = {"missing": self.missing, "unexpected": self.unexpected, "of another shape": self.mismatched}
        return ", ".join([text, *(f"{len(names)} {word}" for word, names in others.items() if names)])


def load_report(model: nn.Module, state_dict: Mapping[str, torch.Tensor]) -> LoadReport:
    """What will load of `state_dict` into `model`; neither is changed."""
    own = model.state_dict()
    shapes = {name: (tuple(state_dict[name].shape), tuple(own[name].shape)) for name in own if name in state_dict}
    loaded = tuple(name for name, (theirs, ours) in shapes.items() if theirs == ours)
    return LoadReport(
        loaded=loaded,
        missing=tuple(name for name in own if name not in state_dict),
        unexpected=tuple(name for name in state_dict if name not in own),
        mismatched=tuple((name, theirs, ours) for name, (theirs, ours) in shapes.items() if theirs != ours),
        tensors=len(loaded) / max(len(own), 1),
        parameters=sum(own[name].numel() for name in loaded) / max(sum(tensor.numel() for tensor in own.values()), 1),
    )


def check_loadable(report: LoadReport, *, source: str, where: str, threshold: float = THRESHOLD) -> None:
    """Refuse weights of another model.

    Raises:
        WeightsError: less than `threshold` of the model's parameters would load.
    """
    if report.parameters >= threshold:
        return
    lines = [f"{name}: {theirs} in the weights, {ours} in the model" for name, theirs, ours in report.mismatched[:3]]
    lines += [f"{name}: not in the weights" for name in report.missing[:3]]
    raise WeightsError(
        what=f"these weights are another model's: {report}",
        value=source,
        where=f"{where}; {'; '.join(lines)}",
        allowed=f"weights for at least {threshold:.0%} of the model's parameters",
        next="choose the config that the weights were trained with, or `use_pretrained: false`",
    )
