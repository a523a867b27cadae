"""The table of validations: one row each, the best so far marked."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

_COLUMN_GAP = "  "
_MARK_WIDTH = 24  # "best 0.137 at batch 12345"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Validation:
    """The metrics after `steps_completed` batches, under their reported names."""

    steps_completed: int
    epoch: float
    metrics: Mapping[str, float]


def read_validations(metrics_file: Path) -> list[Validation]:
    """The validations that `metrics.jsonl` holds; none if there is no such file. A torn last line is passed over."""
    if not metrics_file.is_file():
        return []
    found = []
    for line in metrics_file.read_text().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row.get("group") == "validation":
            epoch, steps = row.get("epoch") or 0, row["steps_completed"]
            metrics = {name: math.nan if value is None else value for name, value in row["metrics"].items()}
            found.append(Validation(steps_completed=steps, epoch=epoch, metrics=metrics))
    return found


@dataclasses.dataclass(kw_only=True)
class ValidationTable:
    """Rows for a growing list of validations.

    Attributes:
        metric: the metric that decides which one is the best.
        smaller_is_better: whether the best is the smallest.
        width: columns of text; metrics that don't fit go on a line of their own.
        validations: those that are already known, from an earlier run.
    """

    metric: str
    smaller_is_better: bool
    width: int = 120
    validations: list[Validation] = dataclasses.field(default_factory=list)
    _heading: str = ""

    @property
    def best(self) -> Validation | None:
        """The best so far: the earlier of two equals, as with the best checkpoint. None if none has the metric."""
        sign = 1 if self.smaller_is_better else -1
        rated = [v for v in self.validations if not math.isnan(v.metrics.get(self.metric, math.nan))]
        return min(rated, key=lambda v: sign * v.metrics[self.metric], default=None)

    def add(self, validation: Validation) -> list[str]:
        """The lines to print for a new validation: a heading where the columns changed, its row, and what is left."""
        self.validations.append(validation)
        shown, rest = self._split(validation.metrics)
        prefix = common_prefix(shown)
        names = [_star(name, self.metric).removeprefix(prefix) for name in shown]
        heading = _row(["epoch", "batch", *names], names) + (f"{_COLUMN_GAP}({prefix}…)" if prefix else "")
        values = [f"{validation.epoch:g}", str(validation.steps_completed)]
        row = _row(values + [number(validation.metrics[name]) for name in shown], names) + _COLUMN_GAP + self._mark()
        lines = [heading, row] if heading != self._heading else [row]
        self._heading = heading
        if rest:
            lines.append("       " + " · ".join(f"{name} {number(validation.metrics[name])}" for name in rest))
        return lines

    def repeat_heading(self) -> None:
        """Print the heading again with the next row: something else was printed since."""
        self._heading = ""

    def _mark(self) -> str:
        best = self.best
        if best is None:
            return f"no {self.metric}"
        if best is self.validations[-1]:
            return "★ best so far"
        return f"best {number(best.metrics[self.metric])} at batch {best.steps_completed}"

    def _split(self, metrics: Mapping[str, float]) -> tuple[list[str], list[str]]:
        """The metrics with a column, the deciding one first, and the metrics without."""
        names = sorted(metrics, key=lambda name: name != self.metric)
        prefix, used, shown = common_prefix(names), 12 + _MARK_WIDTH, 0
        for name in names:
            used += max(6, len(name) - len(prefix) + 1) + len(_COLUMN_GAP)
            if used > self.width:
                break
            shown += 1
        return names[: max(shown, 1)], names[max(shown, 1) :]


def common_prefix(names: Sequence[str]) -> str:
    """The words up to a `_` that all names begin with: `bbox_` of `bbox_mAP` and `bbox_mAP_50`."""
    first = names[0].partition("_")[0] + "_" if len(names) > 1 else ""
    return first if all(name.startswith(first) for name in names) else ""


def number(value: float) -> str:
    """Three decimals; `–` where there is nothing to measure (NaN, and COCO's -1 for a size that doesn't occur)."""
    if math.isnan(value) or value == -1:
        return "–"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"


def _star(name: str, metric: str) -> str:
    return name + "*" if name == metric else name


def _row(cells: Sequence[str], names: Sequence[str]) -> str:
    widths = [5, 6, *(max(6, len(name)) for name in names)]
    return _COLUMN_GAP.join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
