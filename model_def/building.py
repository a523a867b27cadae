"""What MMDetection says when it can't build or run something from a config, as a message about the config."""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from model_def.assignments import OVERRIDES
from model_def.compose import Composed
from model_def.compose.components import component
from model_def.compose.tree import dicts
from model_def.errors import ConfigError
from model_def.experiment_types import Experiment
from model_def.out_of_memory import is_out_of_memory

# What its constructors raise for arguments that don't suit them; anything else is a defect.
_REFUSALS = (
    AssertionError,
    AttributeError,
    FileNotFoundError,
    ImportError,
    IndexError,
    KeyError,
    NotImplementedError,
    RuntimeError,  # a package is missing
    TypeError,
    ValueError,
)


@contextlib.contextmanager
def building(part: str, composed: Composed | None = None, experiment: Experiment | None = None) -> Iterator[None]:
    """Name the component that refused, its place in the experiment, the line of its code, and what it said.

    Raises:
        ConfigError: in place of what a constructor raises.
    """
    try:
        yield
    except _REFUSALS as error:
        if is_out_of_memory(error):
            raise
        built = list(_built(error.__traceback__))
        place = _place(built, composed, experiment) if composed and experiment else ""
        raise ConfigError(
            what=f"MMDetection can't build the {part} from this config",
            value=_said(error),
            where=f"{place}; {_line(error)}" if place else _line(error),
            allowed=_allowed(built),
            next=_next(error),
        ) from error


@contextlib.contextmanager
def first_step() -> Iterator[None]:
    """What a model says to its first batch: only there layers show that they don't fit together.

    Raises:
        ConfigError: in place of what the code of MMDetection or torch raises.
    """
    try:
        yield
    except _REFUSALS as error:
        ours = Path(__file__).parent in Path(_last(error).filename).parents  # our own mistake, nobody else's
        if ours or is_out_of_memory(error):
            raise
        raise ConfigError(
            what="the model can't be trained on its first batch",
            value=_said(error),
            where=_line(error),
            allowed="layers whose sizes fit together",
            next="look up this part in the config, or take an override back",
        ) from error


def _said(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
    return text or _last(error).line or type(error).__name__


def _next(error: BaseException) -> str:
    """The command that MMDetection names where a package is missing."""
    install = re.search(r"\b(?:pip|mim) install [\w-]+", str(error))
    return install[0] if install else "look up this argument in the config, or take an override back"


def _line(error: BaseException) -> str:
    last = _last(error)
    return f"{last.filename}:{last.lineno}, in {last.name}"


def _last(error: BaseException) -> traceback.FrameSummary:
    return traceback.extract_tb(error.__traceback__)[-1]


def _built(trace: TracebackType | None) -> Iterator[dict[str, Any]]:
    """The configs of what was being built, the innermost component first."""
    for frame, _ in reversed(list(traceback.walk_tb(trace))):
        name = {"build_from_cfg": "cfg", "build_dataloader": "dataloader"}.get(frame.f_code.co_name)
        if isinstance(built := frame.f_locals.get(name or ""), dict):
            yield built


def _place(built: list[dict[str, Any]], composed: Composed, experiment: Experiment) -> str:
    """Where the innermost component stands that is in the config; "" if none can be told."""
    nodes = list(dicts(composed.config.to_dict()))[1:]
    for one in built:
        for path, node in nodes:
            if node.get("type") == one.get("type") and node and _within(node, one):
                return experiment.where(*OVERRIDES, *path)
    return ""


def _allowed(built: list[dict[str, Any]]) -> str:
    kind = next((one["type"] for one in built if one.get("type")), None)
    known = component(kind) if kind else None
    if known is None:
        return "what that line of code accepts"
    return f"what that line of code accepts; the arguments of {kind} are {', '.join(sorted(known.arguments))}"


def _within(node: dict[str, Any], built: dict[str, Any]) -> bool:
    """Whether `built` is `node`, or what a bigger component made of it: it may add arguments."""
    return all(key in built and built[key] == value for key, value in node.items())
