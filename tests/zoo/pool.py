"""Many configs at once, each row written as it is found: `python -m tests.zoo.pool FOLDER CONFIG…`."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
os.environ["HF_HUB_OFFLINE"] = "1"  # transformers would ask for each model

from tests.parity.rows import Rows
from tests.parity.runs import FORK, import_everything
from tests.zoo.case import Row, examine
from tests.zoo.data import short_form

CODE = ("model_def", "tests/parity/data", "tests/zoo")


def check(names: Sequence[str], folder: pathlib.Path) -> Iterator[Row]:
    """The rows of the configs `names`, as they are found; experiments and made data are kept below `folder`."""
    import_everything()
    rows, scratch, data = Rows(folder, CODE), folder / "experiments", folder / "data"
    short_form(data, panoptic=True)  # all of it, once
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=FORK) as pool:
        futures = [pool.submit(_quietly, name, scratch, data) for name in names]
        for done, future in enumerate(as_completed(futures), start=1):
            row = future.result()
            rows.keep(row)
            reason = row["reason"].partition("\n")[0]
            print(f"{done}/{len(names)} {row['seconds']:5.1f} s  {row['config']}: {row['result']} {reason}", flush=True)
            yield row


def _quietly(name: str, scratch: pathlib.Path, data: pathlib.Path) -> Row:
    """The row of one config, in a process of the pool; what mmdet prints on the way goes to a file."""
    with (scratch.parent / f"{os.getpid()}.log").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    return examine(name, scratch=scratch, data=data)


if __name__ == "__main__":
    output, *configs = sys.argv[1:]
    for _ in check(configs, pathlib.Path(output).absolute()):
        pass
