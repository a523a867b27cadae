"""What `python -m tests.parity` and `python -m tests.zoo` share: a row for each config, then a page of all rows."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from tests.parity import zoo
from tests.parity.rows import ROOT, Rows

Row = dict[str, Any]


def command(
    arguments: Sequence[str],
    *,
    rows: Rows,
    examine: Callable[[Sequence[str]], Iterable[Row]],
    page: Callable[[list[Row]], str],
    file: pathlib.Path,
    bad: Collection[str],
) -> int:
    """Look at what has no row yet, and write the page; 1 if any result is bad.

    Args:
        arguments: `ONLY=pattern` for some configs, `FRESH=1` to look again at those that have a row.
        examine: makes the rows of these configs.
        page: the text of the page.
        file: where it goes.
    """
    options = dict(argument.split("=", 1) for argument in arguments)
    wanted = [name for name in zoo.leaves() if options.get("ONLY", "") in name]
    todo = [name for name in wanted if options.get("FRESH") == "1" or not rows.has(name)]
    print(f"{len(wanted)} configs, {len(wanted) - len(todo)} have a row, {rows.stale(wanted)} of these by older code")
    started = time.monotonic()
    for _ in examine(todo):
        pass
    _write(page(rows.all()), file)
    print(f"{(time.monotonic() - started) / 60:.1f} minutes; {file.relative_to(ROOT)}")
    return int(any(row["result"] in bad for row in rows.all() if row["config"] in wanted))


def _write(text: str, file: pathlib.Path) -> None:
    """Write it whole, or not at all."""
    part = file.with_suffix(".part")
    part.write_text(text)
    part.replace(file)
