"""Where we print: one console for a process, silent on every rank but the first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console


def rank() -> int:
    """This process's rank as torchrun announces it; 0 for a single process."""
    return int(os.environ.get("RANK", "0"))


def make_console(stream: TextIO | None = None) -> Console:
    """A console on `stream`, by default standard output. Long lines are the terminal's to wrap; numbers stay plain."""
    return Console(file=stream or sys.stdout, quiet=rank() != 0, soft_wrap=True, highlight=False)


def print_python(lines: Iterable[str]) -> None:
    """Print Python text, in colours on a terminal."""
    text = "\n".join(lines)
    if sys.stdout.isatty():
        from rich.syntax import Syntax  # loads a lexer library, which no other command needs

        make_console().print(Syntax(text, "python", background_color="default", word_wrap=False))
    else:
        print(text)
