"""The command `check`: tries the steps of a dry run and prints how each went."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from model_def.dry_run import DryRun, NotTried
from model_def.errors import MMDetTrialError
from model_def.report.console import make_console
from model_def.report.quiet import quiet


def check(file: Path, assignments: Sequence[str], *, run: bool = False, console: Console | None = None) -> int:
    """Try each step and print how it went; the exit code is 0 or 2.

    Args:
        file, assignments: what `train` would be given.
        run: whether to train on a batch and predict.
        console: to print on, by default standard output.
    """
    console = console or make_console()
    with quiet(console), tempfile.TemporaryDirectory() as work_dir:
        steps = DryRun(file=file, assignments=assignments, work_dir=Path(work_dir), run=run).steps()
        results = [_attempt(name, step, console) for name, step in steps]
    return 0 if all(results) else 2


def _attempt(name: str, step: Callable[[], str], console: Console) -> bool:
    try:
        _print(console, "✓", name, step(), style="green")
        return True
    except NotTried as reason:
        _print(console, "–", name, f"not tried: {reason}", style="dim")
    except MMDetTrialError as error:
        _print(console, "✗", name, str(error), style="red")
    return False


def _print(console: Console, mark: str, name: str, text: str, *, style: str) -> None:
    first, *more = text.splitlines()
    console.print(Text.assemble((mark, style), f" {name:<12}{first}"))
    for line in more:
        console.print(Text(f"{'':14}{line}"))
