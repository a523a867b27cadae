"""`python -m tests.parity [ONLY=pattern] [FRESH=1]`: compares us with stock mmengine over the zoo.

Configs that have a row keep it: a run that was stopped goes on. FRESH=1 runs them again.
"""

from __future__ import annotations

import functools
import sys

from tests.parity import pool
from tests.parity.command import command
from tests.parity.compare import MINIMUM
from tests.parity.page import page
from tests.parity.rows import ROOT, Rows

OUTPUT = ROOT / "output" / "parity"

if __name__ == "__main__":
    sys.exit(
        command(
            sys.argv[1:],
            rows=Rows(OUTPUT),
            examine=functools.partial(pool.compare, folder=OUTPUT),
            page=functools.partial(page, minimum=MINIMUM),
            file=ROOT / "docs" / "parity.md",
            bad=("different", "failed"),
        )
    )
