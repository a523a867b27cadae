"""`docs/parity.md`, from the rows."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import re
import textwrap
from collections import Counter
from typing import Any

from tests.parity import reasons, zoo
from tests.parity.rows import fingerprint

LONGEST = 240  # characters in a cell
PACKAGES = ("torch", "mmengine", "mmcv", "mmdet", "determined", "numpy")
HEAD = """# Parity with stock mmengine

<!-- written by `make parity`; don't edit -->

Each config of the zoo in the mmdet wheel was made small and trained twice in fresh processes: by us, from an
experiment YAML, and by stock `Runner.from_cfg(config).train()`, from the `config.py` that we wrote. *Equal* means that
all of this is the same to the last bit: every batch, every loss, learning rate and momentum of each parameter group,
gradient norm, predictions and metrics of each validation, first and last weights; and that our `metrics.jsonl` says
the same.

Small means: tiny images and batches, shallow and thin layers, few queries and proposals, {minimum} iterations or more
in which each milestone, warm-up, switch and validation happens, a hundredth of the learning rate, weights from nowhere,
no mixed precision. Loop, optimizer, schedulers, hooks, samplers, dataset wrappers, pipelines, preprocessor, heads,
losses and evaluators are the config's own. A model that doesn't hold together when it is made small was made less
small (`shrunk`: `wide` keeps most channels, `larger` has larger images, `images` keeps the model, `full` all; where
random weights diverged, `calm` has batch norm normalise in place of `norm_eval`, and a still smaller learning rate).
mmcv's own SyncBN, which needs a GPU, is torch's here; a language model is a small BERT of random weights. Stock gets
back the names `np.float` and `np.in1d`, which the lvis and Cityscapes packages use.

| | |
| --- | --- |
| date | {date} |
| machine | {cores} cores, {memory:.0f} GiB |
| versions | {versions} |
| time | {minutes:.0f} minutes |
| configs | {configs} of {every} |
{counts}
"""
WHY = """
What is not equal, and why:

| result | because | configs |
| --- | --- | ---: |
"""
TABLE = """
| config | result | iterations | validations | shrunk | reason |
| --- | --- | ---: | ---: | --- | --- |
"""


def page(rows: list[dict[str, Any]], *, minimum: int) -> str:
    """The whole text; `rows` in the order of their names."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    head = HEAD.format(minimum=minimum, memory=memory, **about(rows, fingerprint()))
    return head + WHY + reasons.table(rows) + TABLE + "".join(map(_line, rows))


def about(rows: list[dict[str, Any]], code: str) -> dict[str, Any]:
    """What the head of a page says of its rows and of this machine; rows of other code than `code` are counted."""
    stale = sum(row["code"] != code for row in rows)
    counted = [f"| {result} | {number} |" for result, number in Counter(row["result"] for row in rows).most_common()]
    counted += [f"| made with older code | {stale} |"] if stale else []
    cores = len(os.sched_getaffinity(0))
    return {
        "date": datetime.date.today().isoformat(),
        "cores": cores,
        "versions": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES),
        "minutes": sum(row["seconds"] for row in rows) / 60 / cores,
        "configs": len(rows),
        "every": len(zoo.leaves()),
        "counts": "\n".join(counted),
    }


def cell(text: Any) -> str:
    """The first line of a text, or its beginning, as a cell of a table; where packages lie is this machine's matter."""
    line = re.sub(r"[^\s\"']*/site-packages/", "", str(text).partition("\n")[0])
    return textwrap.shorten(line, LONGEST, placeholder=" …").replace("|", "\\|")


def _line(row: dict[str, Any]) -> str:
    counts = (row.get("iterations", ""), row.get("validations", ""))
    return f"| {' | '.join(map(cell, (row['config'], row['result'], *counts, row['level'], row['reason'])))} |\n"
