"""`python -m tests.parity [ONLY=pattern] [FRESH=1]`: compares us with stock mmengine over the zoo.

Configs that have a row keep it: a run that was stopped goes on. FRESH=1 runs them again.
"""

from __future__ import annotations

import sys
import time

from tests.parity import pool, zoo
from tests.parity.compare import MINIMUM
from tests.parity.page import write_page
from tests.parity.rows import ROOT, Rows

OUTPUT = ROOT / "output" / "parity"
PAGE = ROOT / "docs" / "parity.md"


def main(arguments: list[str]) -> int:
    """Compare what has no row yet, and write the page; 1 if anything differs or failed."""
    options = dict(argument.split("=", 1) for argument in arguments)
    rows = Rows(OUTPUT)
    wanted = [name for name in zoo.leaves() if options.get("ONLY", "") in name]
    todo = [name for name in wanted if options.get("FRESH") == "1" or not rows.has(name)]
    print(f"{len(wanted)} configs, {len(wanted) - len(todo)} have a row, {rows.stale(wanted)} of these by older code")
    started = time.monotonic()
    for _ in pool.compare(todo, OUTPUT):
        pass
    write_page(rows.all(), PAGE, minimum=MINIMUM)
    print(f"{(time.monotonic() - started) / 60:.1f} minutes; {PAGE.relative_to(ROOT)}")
    return int(any(row["result"] in ("different", "failed") for row in rows.all() if row["config"] in wanted))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
