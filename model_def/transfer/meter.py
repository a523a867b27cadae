"""How far a transfer is: one line that keeps up on a terminal, and a line now and then in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from model_def.report.pace import clock

LIVE_PERIOD = 0.25  # seconds between two updates on a terminal
PLAIN_PERIOD = 10.0  # and between two lines elsewhere


class Meter:
    """Counts items and bytes, from any thread, and shows them from the thread that calls `show`.

    Args:
        what: the items' name: `images`.
        items, size: how many there are in all, and their bytes; 0 if not known.
        done: how many were there before; they don't count for the speed.
    """

    def __init__(
        self,
        console: Console,
        *,
        what: str,
        items: int = 0,
        size: int = 0,
        done: int = 0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._what, self._total, self._size = console, what, items, size
        self._lock = threading.Lock()
        self.items, self.bytes = done, 0
        self._before = done
        self._now = now
        self._started = self._shown = now()
        self._live: Live | None = None

    def __enter__(self) -> Meter:
        if self._console.is_terminal and not self._console.quiet:
            # Standard output is left to `quiet`, as in a training.
            self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def add(self, *, items: int = 0, size: int = 0) -> None:
        """Count what was done."""
        with self._lock:
            self.items += items
            self.bytes += size

    def show(self) -> None:
        """Print the line, if it is time to."""
        now = self._now()
        if now - self._shown < (LIVE_PERIOD if self._live else PLAIN_PERIOD):
            return
        self._shown = now
        if self._live is not None:
            self._live.update(Text(self.line(), no_wrap=True, overflow="ellipsis"), refresh=True)
        else:
            self._console.print(Text(self.line()))

    @property
    def seconds(self) -> float:
        """Since the start; never 0."""
        return max(self._now() - self._started, 1e-9)

    def line(self) -> str:
        """`1,200 of 5,000 images · 210 MB of 816 MB · 61 MB/s · 410 a second · ETA 0:09`."""
        rate, pace = self.bytes / self.seconds, (self.items - self._before) / self.seconds
        parts = [f"{self.items:,} of {self._total:,} {self._what}" if self._total else f"{self.items:,} {self._what}"]
        if self.bytes:
            whole = f"{sized(self.bytes)} of {sized(self._size)}" if self._size else sized(self.bytes)
            parts += [whole, f"{rate / 1e6:.3g} MB/s"]
        if pace:
            parts.append(f"{pace:,.3g} a second" if pace < 100 else f"{pace:,.0f} a second")
        return " · ".join([*parts, f"ETA {clock(self._left(rate, pace))}"] if self._total else parts)

    def _left(self, rate: float, pace: float) -> float | None:
        """Seconds to the end: by bytes, which come evenly, else by items."""
        if self._size and rate:
            return max(self._size - self.bytes, 0) / rate
        return (self._total - self.items) / pace if pace else None


def sized(size: int) -> str:
    """`815585330` → `816 MB`."""
    for unit, bytes_ in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= bytes_:
            return f"{size / bytes_:.3g} {unit}" if size / bytes_ < 100 else f"{size / bytes_:,.0f} {unit}"
    return f"{size} bytes"
