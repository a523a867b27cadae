"""Many cases at once: `python -m tests.parity.pool FOLDER CASE…` prints a line and writes a row for each."""

from __future__ import annotations

import functools
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

from tests.parity.case import Row, examine
from tests.parity.rows import Rows
from tests.parity.runs import FORK, import_everything


def compare(cases: Sequence[str], folder: pathlib.Path) -> Iterator[Row]:
    """The rows of `cases`, as they are finished; made data and what went wrong are kept below `folder`."""
    one = functools.partial(examine, scratch=folder / "runs", data=folder / "data")
    return in_pool(one, cases, Rows(folder))


def in_pool(examine: Callable[[str], Row], names: Sequence[str], rows: Rows) -> Iterator[Row]:
    """What `examine` finds about each name, as it is finished; each is kept in `rows` and told in a line.

    The processes are as many as the cores, and have only imported what they need.
    """
    import_everything()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=FORK) as pool:
        futures = [pool.submit(examine, name) for name in names]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                row = future.result()
                rows.keep(row)
                print(f"{done}/{len(names)} {_line(row)}", flush=True)
                yield row
        finally:  # a mistake of our own is told now, not when all cases are done
            pool.shutdown(cancel_futures=True)


def _line(row: Row) -> str:
    level = f" ({row['level']})" if "level" in row else ""
    return f"{row['seconds']:6.1f} s  {row['config']}{level}: {row['result']} {row['reason'].partition(chr(10))[0]}"


if __name__ == "__main__":
    output, *arguments = sys.argv[1:]
    for _ in compare(arguments, pathlib.Path(output).absolute()):
        pass
