"""How well weights fit a model: what will load, and what will not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch
import torch.nn as nn

from model_def.errors import WeightsError
from model_def.experiment_types import MIN_LOADED

SHOWN = 4  # names of each sort


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where the weights to start from were chosen, for messages, and what the user asks of them.

    Attributes:
        where: a place in the experiment.
        min_loaded: the part of the model's parameters that must load, 0 to 1.
    """

    where: str
    min_loaded: float = MIN_LOADED


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
        """How much loads, and a line for each sort of names that don't, with the first few of them."""
        return "\n".join(self.lines(SHOWN))

    def lines(self, shown: int | None = None) -> list[str]:
        """How much loads, and a line for each sort of names that don't; `shown` names of each, None for all."""
        total = len(self.loaded) + len(self.missing) + len(self.mismatched)
        whole = f"{self.parameters:.1%} of the parameters load, {len(self.loaded)} of {total} tensors"
        shapes = [f"{name} {theirs} in the weights, {ours} in the model" for name, theirs, ours in self.mismatched]
        sorts = {
            "of another shape, so left as initialised": shapes,
            "not in the weights, so left as initialised": self.missing,
            "not in the model": self.unexpected,
        }
        return [whole, *(_line(text, names, shown) for text, names in sorts.items() if names)]


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


def check_loadable(report: LoadReport, *, source: str, place: Place) -> None:
    """Refuse weights of another model.

    Raises:
        WeightsError: less of the model's parameters would load than `place` asks for.
    """
    if report.parameters >= place.min_loaded:
        return
    raise WeightsError(
        what=f"these weights are another model's: {report.lines()[0]}",
        value=source,
        where="; ".join([place.where, *report.lines(SHOWN)[1:]]),
        allowed=f"weights for at least {place.min_loaded:.0%} of the model's parameters",
        next="choose the config that the weights were trained with, or `use_pretrained: false`; "
        "to accept less: use_pretrained={checkpoint: …, min_loaded: 0.1}",
    )


def _line(text: str, names: Sequence[str], shown: int | None) -> str:
    more = len(names) - len(names[:shown])
    return f"{len(names)} {text}: " + ", ".join([*names[:shown], *([f"and {more} more"] if more else [])])
