"""The end: how good it became, where everything is, what to do next."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from model_def.report.pace import clock
from model_def.report.plan import print_rows
from model_def.report.table import number, read_validations

if TYPE_CHECKING:
    from model_def.train import Outcome

_METRICS = 6  # that are shown of the best validation
_FILES = {
    "best": ("checkpoints/best/model.pth", "weights for mmdet's init_detector"),
    "latest": ("checkpoints/latest", "the state at the end"),
    "config": ("config.py", "the whole config: stock mmdet trains it alike"),
    "metrics": ("metrics.jsonl", "every number"),
    "system": ("system.jsonl", "what the machine did"),
}


def summarize(outcome: Outcome, *, seconds: float, train_command: str, picture: Path | None, console: Console) -> None:
    """Print the best metrics, the files and the next commands of a training that reached its end.

    Args:
        outcome: of `train`.
        seconds: how long it took.
        train_command: the command line that began it.
        picture: of predictions, below the output directory, if one was drawn.
    """
    console.print(Text(f"\n{_headline(outcome, seconds)}", style="bold"))
    print_rows([*_scores(outcome), *_files(outcome.output, picture)], console)
    console.print(Text("next", style="bold"))
    for command in _next_commands(outcome.output, train_command):
        console.print(Text(f"  {command}"))


def activation() -> list[str]:
    """The command without which `python` would be another one: make runs the environment's without activating it."""
    if sys.prefix in (sys.base_prefix, os.environ.get("VIRTUAL_ENV")):
        return []
    return [f"source {os.path.relpath(sys.prefix)}/bin/activate"]


def _headline(outcome: Outcome, seconds: float) -> str:
    if outcome.best is None:
        return f"done in {clock(seconds)}; no validation measured the searcher's metric, so there is no best checkpoint"
    return f"done in {clock(seconds)}; the best checkpoint is the one after {outcome.best[1]:,} batches"


def _scores(outcome: Outcome) -> list[tuple[str, str]]:
    """The first metrics of the best validation."""
    if outcome.best is None:
        return []
    validations = read_validations(outcome.output / "metrics.jsonl")
    metrics = next((v.metrics for v in validations if v.steps_completed == outcome.best[1]), {})
    text = ", ".join(f"{name} {number(value)}" for name, value in list(metrics.items())[:_METRICS])
    return [("scores", text)]


def _files(output: Path, picture: Path | None) -> list[tuple[str, str]]:
    rows = [("output", str(output))]
    rows += [(label, f"{name}: {what}") for label, (name, what) in _FILES.items() if (output / name).exists()]
    if picture is not None:
        rows.append(("picture", f"{picture.relative_to(output)}: the truth beside the predictions"))
    return rows


def _next_commands(output: Path, train_command: str) -> list[str]:
    return [
        *activation(),
        f"python -m model_def predict {output} IMAGE…",
        f"{train_command} --resume {output}",
        f"tensorboard --logdir {output / 'tensorboard'}",
    ]
