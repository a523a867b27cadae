"""`docs/zoo.md`, from the rows."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections import Counter
from typing import Any

from tests.parity.page import about, cell
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
    present = {package: importlib.util.find_spec(module) is not None for module, package in OPTIONAL.items()}
    head = HEAD.format(
        optional=", ".join(f"{name} {importlib.metadata.version(name)}" for name in present if present[name]) or "none",
        absent=", ".join(name for name in present if not present[name]) or "none",
        computing=sum(row["cpu"] for row in rows) / 60,
        **about(rows, fingerprint(CODE)),
    )
    reasons = Counter((row["result"], cell(row["reason"])) for row in rows if row["reason"])
    refusals = "".join(f"| {number} | {result} | {reason} |\n" for (result, reason), number in reasons.most_common())
    return head + REFUSALS + refusals + TABLE + "".join(map(_line, rows))


def _line(row: dict[str, Any]) -> str:
    cells = (row["config"], row["result"], row.get("changed", ""), row.get("example", ""), row["reason"])
    return f"| {' | '.join(cell(each) for each in cells)} |\n"
