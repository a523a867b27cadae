"""A search as a picture: each trial is a line across its values to its metric."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from model_def.searching.search import Search
from model_def.searching.space import short


@dataclasses.dataclass(frozen=True, kw_only=True)
class Axis:
    """One upright axis: where each trial crosses it (0 to 1), and what is written at which height."""

    name: str
    heights: list[float]
    ticks: dict[float, str]


def draw_search(search: Search, to: Path) -> Path | None:
    """Draw parallel coordinates into the file `to`; None if there is nothing to compare."""
    measured = [(index, trial.best[0]) for index, trial in enumerate(search.trials) if trial.best]
    if len(measured) < 2 or not search.plan.spaces:
        return None
    sign = 1 if search.plan.experiment.searcher.smaller_is_better else -1
    worst_first = sorted(measured, key=lambda pair: (sign * pair[1], pair[0]), reverse=True)
    draws = [search.plan.draws[index] for index, _ in worst_first]
    axes = [axis(short(place), space, [draw[place] for draw in draws]) for place, space in search.plan.spaces.items()]
    axes.append(axis(search.plan.experiment.searcher.metric, {}, [value for _, value in worst_first]))
    _figure(axes, len(draws)).savefig(to, dpi=120)
    return to


def axis(name: str, space: Mapping[str, Any], values: Sequence[Any]) -> Axis:
    """The axis of one hyperparameter, on the scale that it is searched on; or of the metric, without a space."""
    if space.get("type") == "categorical":
        steps = max(len(space["vals"]) - 1, 1)
        places = [space["vals"].index(value) / steps for value in values]
        return Axis(name=name, heights=places, ticks={i / steps: _short(v) for i, v in enumerate(space["vals"])})
    scaled = [math.log(value) if space.get("type") == "log" else float(value) for value in values]
    low, high = min(scaled), max(scaled)
    heights = [(value - low) / (high - low) if high > low else 0.5 for value in scaled]
    return Axis(name=name, heights=heights, ticks={heights[i]: f"{values[i]:.3g}" for i in _ends(scaled)})


def _figure(axes: Sequence[Axis], trials: int) -> Figure:
    figure = Figure(figsize=(2.2 * len(axes) + 1, 4.5), layout="constrained")
    plot = figure.add_subplot()
    colours = matplotlib.colormaps["viridis_r"]
    for line in range(trials):
        best = line == trials - 1
        heights, shade = [axis.heights[line] for axis in axes], line / max(trials - 1, 1)
        plot.plot(range(len(axes)), heights, color="tab:red" if best else colours(shade), linewidth=2.5 if best else 1)
    for x, axis in enumerate(axes):
        plot.axvline(x, color="0.6", linewidth=1, zorder=0)
        for height, text in axis.ticks.items():
            plot.annotate(text, (x, height), xytext=(4, 3), textcoords="offset points", fontsize=8)
    plot.set_xticks(range(len(axes)), [_last_words(axis.name) for axis in axes])
    plot.set_yticks([])
    plot.spines[:].set_visible(False)
    return figure


def _ends(values: Sequence[float]) -> set[int]:
    return {min(range(len(values)), key=values.__getitem__), max(range(len(values)), key=values.__getitem__)}


def _last_words(key: str) -> str:
    return ".".join(key.split(".")[-2:])


def _short(value: Any) -> str:
    text = Path(value).stem if isinstance(value, str) else str(value)
    return text if len(text) <= 24 else f"{text[:23]}…"
