"""`docs/zoo.md`, from the rows."""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import os
import pathlib
from collections import Counter
from typing import Any

from tests.parity import zoo
from tests.parity.page import PACKAGES
from tests.parity.rows import fingerprint
from tests.zoo.pool import CODE

# What parts of the zoo import beside our own requirements: the module, and the package that brings it.
OPTIONAL = {
    "albumentations": "albumentations",
    "cityscapesscripts": "cityscapesscripts",
    "d_cube": "ddd-dataset",
    "detectron2": "detectron2",
    "dsdl": "dsdl",
    "fairscale": "fairscale",
    "imagecorruptions": "imagecorruptions",
    "instaboostfast": "instaboostfast",
    "jsonlines": "jsonlines",
    "mmpretrain": "mmpretrain",
    "motmetrics": "motmetrics",
    "panopticapi": "panopticapi-lite",
    "skimage": "scikit-image",
    "torchvision": "torchvision",
    "trackeval": "trackeval",
    "transformers": "transformers",
}
HEAD = """# The zoo as experiments

<!-- written by `make zoo`; don't edit -->

Each config of the zoo in the mmdet wheel was made an experiment, and once more with a `dataset` of three classes.
*Composes and builds* means:

- As `cp` writes it, it goes through `check` without an error: assembly, strict checks, model, memory, metric; all but
  the steps that need its own data and weights.
- With the `dataset` short form its model is built as well. Exactly those parameters and buffers have other sizes that
  depend on the number of classes, and the right ones: 3 for a sigmoid, 4 for a softmax with a background, times
  anchors or coordinates (`example` shows one). No part of a head still counts the old classes. This is judged by the
  built models, beside the same model with the zoo's own classes, not by the configs.
- With it, everything that a training sets up is set up on made images: data sets, loops, optimizer, hooks, schedule,
  evaluators. A sample to train on and one to validate on go through their pipelines, with labels of the three classes.

*Refused* is one clear error, and here is its text. Panoptic models are given three things and two kinds of stuff.
No weight is initialised or downloaded, language models are tiny ones. Mixed precision, which needs a GPU, is off, and
mmcv's own SyncBN is torch's.

| | |
| --- | --- |
| date | {date} |
| machine | {cores} cores |
| versions | {versions} |
| optional packages | {optional} |
| not installed | {absent} |
| time | {minutes:.0f} minutes, {computing:.0f} minutes of computing |
| configs | {configs} of {every} |
{counts}
"""
REFUSALS = """
## Why not

| configs | result | reason |
| ---: | --- | --- |
"""
TABLE = """
## Every config

| config | result | tensors of other sizes | example | reason |
| --- | --- | ---: | --- | --- |
"""


def page(rows: list[dict[str, Any]]) -> str:
    """The whole text; `rows` in the order of their names."""
    counts = Counter(row["result"] for row in rows)
    stale = sum(row["code"] != fingerprint(CODE) for row in rows)
    counted = [f"| {result} | {number} |" for result, number in counts.most_common()]
    counted += [f"| made with older code | {stale} |"] if stale else []
    present = {package: importlib.util.find_spec(module) is not None for module, package in OPTIONAL.items()}
    head = HEAD.format(
        date=datetime.date.today().isoformat(),
        cores=len(os.sched_getaffinity(0)),
        versions=", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES),
        optional=", ".join(f"{name} {importlib.metadata.version(name)}" for name in present if present[name]) or "none",
        absent=", ".join(name for name in present if not present[name]) or "none",
        minutes=sum(row["seconds"] for row in rows) / 60 / len(os.sched_getaffinity(0)),
        computing=sum(row["cpu"] for row in rows) / 60,
        configs=len(rows),
        every=len(zoo.leaves()),
        counts="\n".join(counted),
    )
    reasons = Counter((row["result"], _cell(row["reason"])) for row in rows if row["reason"])
    refusals = "".join(f"| {number} | {result} | {reason} |\n" for (result, reason), number in reasons.most_common())
    return head + REFUSALS + refusals + TABLE + "".join(map(_line, rows))


def _line(row: dict[str, Any]) -> str:
    cells = (row["config"], row["result"], row.get("changed", ""), row.get("example", ""), row["reason"])
    return f"| {' | '.join(_cell(str(cell)) for cell in cells)} |\n"


def _cell(text: str) -> str:
    return " ".join(text.partition("\n")[0].split()).replace("|", "\\|")


def write_page(rows: list[dict[str, Any]], path: pathlib.Path) -> None:
    """Write the page, whole."""
    part = path.with_suffix(".part")
    part.write_text(page(rows))
    part.replace(path)
