"""Curves and matrices of what an evaluation has counted, as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from model_def.evaluate.counted import NEAR, NOTHING, SURE, Array, Counted

_NAMED = 10  # classes with a curve each
_MOST = 24  # classes with a row each
_DPI = 80  # with these sizes TensorBoard shows them nearly as they are


def precision_recall(counted: Counted, title: str) -> Image.Image:
    """Precision over recall: the mean of the classes at IoU 0.5 and 0.75, and thin the classes at the lowest IoU."""
    figure = Figure(figsize=(5.2, 4.0), dpi=_DPI)
    inside = (0.12, 0.13, 0.86, 0.79)  # matplotlib's own layouts take as long as the drawing
    axes = figure.add_axes(inside, xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title=title)
    recalls = np.linspace(0, 1, counted.precision.shape[1])
    there: Array = np.asarray((counted.precision > -1).all(axis=(0, 1)))
    names = [_plain(name) for name, has in zip(counted.classes, there, strict=True) if has]
    precision = counted.precision[:, :, there]
    _classes(axes, recalls, precision[0], names, f"IoU {counted.overlaps[0]:g}")
    for overlap, style in ((0.5, "-"), (0.75, "--")):
        place = int(np.argmin(np.abs(np.array(counted.overlaps) - overlap)))
        if precision.size and abs(counted.overlaps[place] - overlap) < 1e-6:
            mean = precision[place].mean(axis=1)
            axes.plot(recalls, mean, style, color="black", lw=2, label=f"IoU {overlap:g}: AP {mean.mean():.3f}")
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="x-small", loc="lower left")
    return _picture(figure)


def _classes(axes: Any, recalls: Array, precision: Array, names: list[str], overlap: str) -> None:
    """A line for each class, or for many classes the range in which 80 % of them lie."""
    if 1 < len(names) <= _NAMED:
        for name, line in zip(names, precision.T, strict=True):
            axes.plot(recalls, line, lw=1, label=f"{overlap}: {name} {line.mean():.3f}")
    elif len(names) > _NAMED:
        low, high = np.quantile(precision, [0.1, 0.9], axis=1)
        axes.fill_between(recalls, low, high, alpha=0.2, label=f"{overlap}: 80 % of {len(names)} classes")


def confusion(counted: Counted, title: str) -> Image.Image:
    """Truths in rows, what they were taken for in columns; the last ones are nothing. Colours are parts of a row."""
    names, matrix = confusion_matrix(counted)
    names = [_plain(name) for name in names]
    size = max(1.6 + 0.32 * len(names), 3.6)
    figure = Figure(figsize=(size, size), dpi=_DPI, layout="constrained")
    ticks = range(len(names))
    axes = figure.add_subplot(xlabel="detection", ylabel="truth")
    axes.set_title(f"{title}: score from {SURE:g}, IoU from {NEAR:g}", fontsize="medium")
    parts = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(parts, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(ticks, names, rotation=90, fontsize="small")
    axes.set_yticks(ticks, names, fontsize="small")
    for row, column in np.argwhere(matrix):
        colour = "white" if parts[row, column] > 0.5 else "black"
        text = f"{matrix[row, column]}"
        axes.text(column, row, text, ha="center", va="center", fontsize="x-small", color=colour)
    return _picture(figure)


def confusion_matrix(counted: Counted) -> tuple[list[str], Array]:
    """Names, and counts of shape (names, names). The last name is nothing; classes beyond the most frequent are one."""
    pairs = np.zeros((0, 2), dtype=int) if counted.pairs is None else counted.pairs
    truths = np.bincount(pairs[pairs[:, 0] != NOTHING, 0], minlength=len(counted.classes))
    shown = np.sort(np.argsort(-truths, kind="stable")[:_MOST])
    names = [counted.classes[each] for each in shown]
    others = len(names)
    if len(counted.classes) > _MOST:
        names.append(f"{len(counted.classes) - _MOST} others")
    names.append("nothing")
    place = np.full(len(counted.classes) + 1, others)
    place[shown] = np.arange(len(shown))
    place[NOTHING] = len(names) - 1
    matrix = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(matrix, tuple(place[pairs].T), 1)
    return names, matrix


def _plain(name: str) -> str:
    """A name in which matplotlib sees no formula."""
    return name.replace("$", r"\$")


def _picture(figure: Figure) -> Image.Image:
    canvas: Any = FigureCanvasAgg(figure)  # draws without pyplot, which keeps figures and asks for a display
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
