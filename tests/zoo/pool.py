"""Many configs at once, each row written as it is found: `python -m tests.zoo.pool FOLDER CONFIG…`."""

from __future__ import annotations

import functools
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence

os.environ["HF_HUB_OFFLINE"] = "1"  # transformers would ask for each model

from tests.parity.pool import in_pool
from tests.parity.rows import Rows
from tests.zoo.case import Row, examine
from tests.zoo.data import short_form

CODE = ("model_def", "tests/parity/data", "tests/zoo")


def check(names: Sequence[str], folder: pathlib.Path) -> Iterator[Row]:
    """The rows of the configs `names`, as they are found; experiments and made data are kept below `folder`."""
    data = folder / "data"
    short_form(data, panoptic=True)  # all of it, once
    one = functools.partial(_quietly, scratch=folder / "experiments", data=data)
    return in_pool(one, names, Rows(folder, CODE))


def _quietly(name: str, *, scratch: pathlib.Path, data: pathlib.Path) -> Row:
    """The row of one config, in a process of the pool; what mmdet prints on the way goes to a file."""
    with (scratch.parent / f"{os.getpid()}.log").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    return examine(name, scratch=scratch, data=data)


if __name__ == "__main__":
    output, *configs = sys.argv[1:]
    for _ in check(configs, pathlib.Path(output).absolute()):
        pass
