"""Many cases at once: `python -m tests.parity.pool FOLDER CASE…` prints a line and writes a row for each."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

from tests.parity.case import Row, examine
from tests.parity.rows import Rows
from tests.parity.runs import FORK, import_everything


def compare(cases: Sequence[str], folder: pathlib.Path) -> Iterator[Row]:
    """The rows of `cases`, as they are finished; made data and what went wrong are kept below `folder`."""
    import_everything()
    rows, scratch, data = Rows(folder), folder / "runs", folder / "data"
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=FORK) as pool:
        futures = [pool.submit(examine, case, scratch=scratch, data=data) for case in cases]
        for done, future in enumerate(as_completed(futures), start=1):
            row = future.result()
            rows.keep(row)
            reason = row["reason"].partition("\n")[0]
            took = f"{done}/{len(cases)} {row['seconds']:6.1f} s"
            print(f"{took}  {row['config']} ({row['level']}): {row['result']} {reason}", flush=True)
            yield row


if __name__ == "__main__":
    output, *names = sys.argv[1:]
    for _ in compare(names, pathlib.Path(output).absolute()):
        pass
