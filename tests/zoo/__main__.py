"""`python -m tests.zoo [ONLY=pattern] [FRESH=1]`: every config of the zoo as an experiment, with other data too.

Configs that have a row keep it: a run that was stopped goes on. FRESH=1 looks at them again.
"""

from __future__ import annotations

import functools
import sys

from tests.parity.command import command
from tests.parity.rows import ROOT, Rows
from tests.zoo.page import page
from tests.zoo.pool import CODE, check

OUTPUT = ROOT / "output" / "zoo"

if __name__ == "__main__":
    sys.exit(
        command(
            sys.argv[1:],
            rows=Rows(OUTPUT, CODE),
            examine=functools.partial(check, folder=OUTPUT),
            page=page,
            file=ROOT / "docs" / "zoo.md",
            bad=("failed",),
        )
    )
