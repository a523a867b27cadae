"""The learning rate over a training, drawn in one line and told in numbers."""

from __future__ import annotations

import dataclasses
import itertools
import math
import textwrap
from collections.abc import Iterator
from typing import Any

from model_def.report.rates import Length, run, scheduled, steps

SAMPLES, STEPS = 3000, 4
WIDTH, LINE = 56, 84  # characters of the drawing, and of a line of text
BARS = "▁▂▃▄▅▆▇█"
NEARLY_NOTHING = 1e-4  # of the highest rate


@dataclasses.dataclass(frozen=True, kw_only=True)
class Curve:
    """The rate at evenly spaced batches.

    Attributes:
        own: the optimizer's rate, without a schedule.
        every: how many batches lie between two rates.
        steps: the batches after which the rate steps.
        ends: those after which a scheduler ends.
    """

    rates: tuple[float, ...]
    own: float
    every: int
    steps: tuple[int, ...]
    ends: tuple[int, ...]
    length: Length

    def bars(self, width: int = WIDTH) -> str:
        """One character for each part of the training; a tenth of the highest rate is a third as high."""
        top, count = max(self.rates), min(width, len(self.rates))
        shown = (self.rates[index * len(self.rates) // count] for index in range(count))
        return "".join(BARS[round((len(BARS) - 1) * math.sqrt(max(rate, 0) / top if top else 0))] for rate in shown)

    def text(self) -> str:
        """`1e-05 → 0.01 after batch 500 → 0.001 after epoch 8 → 0.0001 after epoch 11`, in lines."""
        whole = "\xa0"  # parts are not broken
        lines = textwrap.wrap(" → ".join(part.replace(" ", whole) for part in self._parts()), LINE)
        if max(self.rates) < 0.99 * self.own:
            lines.append(
                f"lr {self.own:g} is never reached: a warm-up is longer than the training, or its steps come first"
            )
        return "\n".join(lines).replace(whole, " ")

    def _parts(self) -> Iterator[str]:
        first, top, last = self.rates[0], max(self.rates), self.rates[-1]
        peak = next(index for index, rate in enumerate(self.rates) if rate >= top * (1 - 1e-6))
        if peak:
            yield f"{first:.3g}"
        yield f"{top:.3g}{self._when(self._end(peak * self.every + 1)) if peak else ''}"
        told = top
        for step in self.steps[:STEPS]:
            told = self.rates[min(math.ceil(step / self.every), len(self.rates) - 1)]
            yield f"{told:.3g}{self._when(step)}"
        if len(self.steps) > STEPS:
            yield "…"
        if abs(last - told) > 1e-3 * abs(told):
            yield f"{'nearly 0' if last < top * NEARLY_NOTHING else f'{last:.3g}'} at the end"

    def _end(self, batch: int) -> int:
        """The end of a scheduler that is meant where many batches count as one."""
        near = min(self.ends, key=lambda end: abs(end - batch), default=batch)
        return near if abs(near - batch) <= 2 * self.every else batch

    def _when(self, batch: int) -> str:
        epoch = batch / self.length.batches
        if self.length.epochs is None or epoch < 0.99:
            return f" after batch {batch:,}"
        whole = abs(epoch - round(epoch)) <= 2 * self.every / self.length.batches
        return f" after epoch {round(epoch)}" if whole else f" in epoch {int(epoch) + 1}"


def curve(schedulers: Any, rate: float, length: Length, *, samples: int = SAMPLES) -> Curve | None:
    """The rate of each batch, or of at most about `samples` of them.

    Args:
        schedulers: `param_scheduler` of a config: a mapping, a list of them, or None.
        rate: the optimizer's own.
        length: of the training.

    Returns:
        None for schedulers that aren't mmengine's or mmdet's, and for those that wait for a validation's result.
    """
    found = scheduled(schedulers, length)
    if found is None:
        return None
    every = math.ceil(length.total / samples)
    first, rates = run(found, rate, length, 1), run(found, rate, length, every)
    return Curve(
        rates=(next(first), *itertools.islice(rates, 1, None)),
        own=rate,
        every=every,
        steps=tuple(sorted({step for one in found for step in steps(one, length)})),
        ends=tuple(one.arguments["end"] * one.unit(length) for one in found),
        length=length,
    )
