"""How fast it goes, and when it will be done."""

from __future__ import annotations

import dataclasses

_MEMORY = 0.95  # of the running mean: it looks back over about 20 iterations


@dataclasses.dataclass(kw_only=True)
class Pace:
    """Splits the wall clock into training iterations and pauses (a validation and what is saved after it).

    Attributes:
        pauses_left: how many pauses are still to come; whoever knows the schedule keeps it up to date.
        pause_guess: seconds that a pause takes while none has been measured, in iterations.
    """

    pauses_left: int = 0
    pause_guess: float = 0.0
    _iteration: float | None = None
    _pause: float | None = None
    _seen: int = 0
    _since: float | None = None
    _paused_since: float | None = None

    def iteration(self, now: float) -> None:
        """An iteration ended at `now` (seconds). The first one is not measured: it warms up caches and workers."""
        if self._since is not None:
            self._learn(now - self._since)
        self._since = now

    def pause(self, now: float) -> None:
        """A validation begins at `now`."""
        self._paused_since = now

    def resume(self, now: float) -> None:
        """Training goes on at `now`: all since the pause began was the pause."""
        if self._paused_since is None:
            return
        length = now - self._paused_since
        self._pause = length if self._pause is None else (self._pause + length) / 2
        self._paused_since = None
        self._since = now

    def eta(self, iterations_left: int) -> float | None:
        """Seconds to the end, or None while nothing is known."""
        if self._iteration is None:
            return None
        pause = self.pause_guess * self._iteration if self._pause is None else self._pause
        return iterations_left * self._iteration + self.pauses_left * pause

    def _learn(self, seconds: float) -> None:
        """A running mean that is a plain mean at first, so that the first values don't weigh for long."""
        self._seen += 1
        weight = max(1 - _MEMORY, 1 / self._seen)
        known = self._iteration or 0.0
        self._iteration = known + weight * (seconds - known)


def clock(seconds: float | None) -> str:
    """`75` → `1:15`, `3675` → `1:01:15`; `–` for an unknown time."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
