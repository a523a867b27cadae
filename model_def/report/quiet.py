"""Keeps lines off the screen that nobody can act on. Each is listed with the reason; everything else is shown.

Log files are not touched: mmengine's own log keeps every record.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

# What is written to standard output, whole records and printed lines alike.
_LINES = {
    r"\d\d/\d\d [\d:]{8} - .*?(INFO|DEBUG).*? - ": "mmengine's chatter: the plan and the progress line say it shorter",
    r"(loading annotations into memory|creating index|index created!|Done \(t=|DONE \(t=)": "pycocotools' chatter",
    r"(Loading and preparing results|Running per image evaluation|Accumulating evaluation)": "pycocotools' chatter",
    r"Evaluate annotation type \*": "pycocotools' chatter",
    r" Average (Precision|Recall) ": "pycocotools' table: ours has the same numbers",
    r'.*"FileClient" will be deprecated': "mmengine about a call in its own code",
    r'.*"HardDiskBackend" is the alias': "mmengine about a call in its own code",
    r".*The testing results of the whole dataset is empty": "the table of validations shows it as metrics of 0",
    r".*Since `metrics` is an empty dict": "follows from the line before",
    r".* is duplicate\. It is skipped since bypass_duplicate": "mmengine on layers that a head shares, as it should",
    r".* is skipped since its requires_grad=False": "mmengine on frozen layers: the plan says how many are trained",
    r"Could not import OneDL": "the second stack's mmdet on data sets of a service of its own",
    r"The model and loaded state dict do not match exactly": "our report of what was loaded names the tensors",
    r"Loads checkpoint by \w+ backend from path": "whoever loads one says so",
}

# Warnings, by the beginning of their text.
_WARNINGS = {
    r"torch\.meshgrid: in an upcoming release": "torch about calls in mmdet's DETRs; the result does not change",
    r".*`torch\.cuda\.amp\.(autocast|GradScaler).* is deprecated": "torch about calls in mmengine",
    r"DeprecationWarning: `num_anchors` is deprecated": "mmdet about a call in its own code",
    r"Default ``avg_non_ignore`` is False": "mmdet about the default of a loss, which its configs keep",
    r"Setting (OMP|MKL)_NUM_THREADS environment variable": "mmengine, in each process, about one thread for each",
    r"`broadcast_buffers` is deprecated": "torch, in each process, about a call in mmengine",
    r"Glyph \d+ .*missing from font": "matplotlib's font lacks the signs of a class name: a picture shows boxes",
    r".*pin_memory.* no accelerator is found": "mmdet's configs ask for pinned memory, which only GPUs need",
}


@contextlib.contextmanager
def quiet(console: Console) -> Iterator[None]:
    """Standard output goes through `console`, less the lines that nobody can act on; those warnings are off as well.

    The console must have been made before: it holds the real standard output. Everything that is printed appears above
    the console's progress line and does not tear it.
    """
    with contextlib.redirect_stdout(Sieve(console)), warnings.catch_warnings():
        for message in _WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        yield


class Sieve(io.TextIOBase):
    """A stream that prints each line on a console, less those of `_LINES`."""

    _unwanted = re.compile("|".join(_LINES))

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._pending = ""

    def write(self, text: str, /) -> int:
        """Print the whole lines of what was written so far, and keep the rest.

        A log record comes in one piece, of many lines perhaps: it is dropped by its first one.
        """
        self._pending += text
        if self._pending.endswith("\n"):
            if not self._unwanted.match(self._pending):
                self._console.print(Text.from_ansi(self._pending.rstrip("\n")))
            self._pending = ""
        return len(text)

    def fileno(self) -> int:
        """The console's file: rich asks for it when a reader has gone away."""
        return self._console.file.fileno()

    def writable(self) -> bool:
        """It is."""
        return True
