"""`search.jsonl`: everything that happened in a search, one line each. A search goes on from it alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Event = dict[str, Any]


def read(path: Path) -> list[Event]:
    """The events so far; none without a file. The half line of a process that was killed is passed over."""
    events = []
    for line in path.read_text().splitlines() if path.is_file() else ():
        with contextlib.suppress(json.JSONDecodeError):
            events.append(json.loads(line))
    return events


def rewrite(path: Path, events: Iterable[Event]) -> None:
    """Write the file anew, whole lines only."""
    partial = path.with_suffix(".partial")
    partial.write_text("".join(f"{_line(event)}\n" for event in events))
    partial.replace(path)


def append(path: Path, event: Event) -> None:
    """Add one event."""
    with path.open("a") as stream:
        stream.write(f"{_line(event)}\n")


def _line(event: Event) -> str:
    return json.dumps(event, ensure_ascii=False)
