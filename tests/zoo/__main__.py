"""`python -m tests.zoo [ONLY=pattern] [FRESH=1]`: every config of the zoo as an experiment, with other data too.

Configs that have a row keep it: a run that was stopped goes on. FRESH=1 looks at them again.
"""

from __future__ import annotations

import sys
import time

from tests.parity import zoo
from tests.parity.rows import ROOT, Rows
from tests.zoo.page import write_page
from tests.zoo.pool import CODE, check

OUTPUT = ROOT / "output" / "zoo"
PAGE = ROOT / "docs" / "zoo.md"


def main(arguments: list[str]) -> int:
    """Check what has no row yet, and write the page; 1 if anything failed."""
    options = dict(argument.split("=", 1) for argument in arguments)
    rows = Rows(OUTPUT, CODE)
    wanted = [name for name in zoo.leaves() if options.get("ONLY", "") in name]
    todo = [name for name in wanted if options.get("FRESH") == "1" or not rows.has(name)]
    print(f"{len(wanted)} configs, {len(wanted) - len(todo)} have a row, {rows.stale(wanted)} of these by older code")
    started = time.monotonic()
    for _ in check(todo, OUTPUT):
        pass
    write_page(rows.all(), PAGE)
    print(f"{(time.monotonic() - started) / 60:.1f} minutes; {PAGE.relative_to(ROOT)}")
    return int(any(row["result"] == "failed" for row in rows.all() if row["config"] in wanted))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
