"""Where we print: one console for a process, silent on every rank but the first."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console

# For terminals and logs that know no other characters.
ASCII = str.maketrans(
    {
        **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
        "→": "->",
        "…": "...",
        "×": "x",
        "·": "|",
        "–": "-",
        "✓": "+",
        "✗": "x",
    }
)


class _Ascii:
    """A stream that writes other characters as ASCII."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write it."""
        return self._stream.write(text.translate(ASCII).encode("ascii", "replace").decode())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def rank() -> int:
    """This process's rank as torchrun announces it; 0 for a single process."""
    return int(os.environ.get("RANK", "0"))


def say(message: str, *, agreed: bool = False) -> None:
    """Print on standard error, for all processes once.

    Under torchrun, ranks that meet the same error leave the word to the first one: torchrun ends them when it exits.
    What befalls another rank alone is said a little later, unless they have agreed that it is the one to speak.
    """
    if rank() != 0 and not agreed:
        time.sleep(2)
        message = f"rank {rank()}: {message}"
    print(message, file=sys.stderr, flush=True)


def make_console(stream: TextIO | None = None) -> Console:
    """A console on `stream`, by default standard output. Long lines are the terminal's to wrap; numbers stay plain."""
    stream = stream or sys.stdout
    known = (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")
    file: Any = stream if known else _Ascii(stream)
    return Console(file=file, quiet=rank() != 0, soft_wrap=True, highlight=False)


def print_python(lines: Iterable[str]) -> None:
    """Print Python text, in colours on a terminal."""
    text = "\n".join(lines)
    if sys.stdout.isatty():
        from rich.syntax import Syntax  # loads a lexer library, which no other command needs

        make_console().print(Syntax(text, "python", background_color="default", word_wrap=False))
    else:
        print(text)
