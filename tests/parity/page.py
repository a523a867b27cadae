"""`docs/parity.md`, from the rows."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import pathlib
from collections import Counter
from typing import Any

from tests.parity import zoo
from tests.parity.rows import fingerprint

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
back the name `np.float`, which the lvis package uses.

| | |
| --- | --- |
| date | {date} |
| machine | {cores} cores, {memory:.0f} GiB |
| versions | {versions} |
| time | {minutes:.0f} minutes |
| configs | {configs} of {every} |
{counts}
"""
TABLE = """
| config | result | iterations | validations | shrunk | reason |
| --- | --- | ---: | ---: | --- | --- |
"""


def page(rows: list[dict[str, Any]], *, minimum: int) -> str:
    """The whole text; `rows` in the order of their names."""
    counts = Counter(row["result"] for row in rows)
    stale = sum(row["code"] != fingerprint() for row in rows)
    counted = [f"| {result} | {number} |" for result, number in counts.most_common()]
    counted += [f"| made with older code | {stale} |"] if stale else []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    head = HEAD.format(
        minimum=minimum,
        date=datetime.date.today().isoformat(),
        cores=len(os.sched_getaffinity(0)),
        memory=memory,
        versions=", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES),
        minutes=sum(row["seconds"] for row in rows) / 60 / len(os.sched_getaffinity(0)),
        configs=len(rows),
        every=len(zoo.leaves()),
        counts="\n".join(counted),
    )
    return head + TABLE + "".join(map(_line, rows))


def _line(row: dict[str, Any]) -> str:
    reason = " ".join(row["reason"].partition("\n")[0].split()).replace("|", "\\|")
    cells = (row["config"], row["result"], row.get("iterations", ""), row.get("validations", ""), row["level"], reason)
    return f"| {' | '.join(map(str, cells))} |\n"


def write_page(rows: list[dict[str, Any]], path: pathlib.Path, *, minimum: int) -> None:
    """Write the page, whole."""
    part = path.with_suffix(".part")
    part.write_text(page(rows, minimum=minimum))
    part.replace(path)
