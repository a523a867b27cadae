"""`schedule: rescale`: moments of one length of training, at the same parts of another."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from model_def.compose.moments import Kind, Moment


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale:
    """From a training of `old` epochs (or iterations) to one of `new`.

    Attributes:
        points: where each moment of the old training lies in the new one.
    """

    old: int
    new: int
    points: dict[int, int]

    @classmethod
    def of(cls, moments: Iterable[Moment], old: int, new: int) -> Scale:
        """The scale in which all these moments keep their order.

        What was inside the training stays inside, as long as there is room for it.
        """
        marks = sorted({old, *(int(mark) for moment in moments if moment.own for mark in _marks(moment))})
        places = [_part(mark, old, new) for mark in marks]
        inside = sum(mark < old for mark in marks)
        for index in reversed(range(inside)):
            places[index] = min(places[index], new - (inside - index))
        for index in range(len(places)):
            places[index] = max(places[index], places[index - 1] + 1 if index else 1)
        return cls(old=old, new=new, points=dict(zip(marks, places, strict=True)))

    def value(self, moment: Moment) -> Any:
        """The moment's new value."""
        value = moment.value
        if not moment.own:
            return _each(value, self._length)
        if moment.between:
            begin, end = moment.between
            return self._point(end) - self._point(begin)
        if moment.kind is Kind.INTERVAL:
            return type(value)(self._interval(value))
        if moment.kind is Kind.PHASES:
            return [(self._point(begin), self._interval(every)) for begin, every in value]
        return _each(value, self._length if moment.kind in (Kind.SPAN, Kind.LAST) else self._point)

    def _point(self, mark: float) -> int:
        return self.points.get(int(mark)) or (self._length(mark) if mark > 0 else int(mark))

    def _length(self, length: float) -> int:
        return _part(length, self.old, self.new)

    def _interval(self, every: float) -> int:
        """A shorter training validates as many times, a longer one as often; "at the end" stays at the end."""
        return self._length(every) if self.new < self.old or every >= self.old else int(every)


def _marks(moment: Moment) -> Sequence[float]:
    if moment.kind is Kind.PHASES:
        return [begin for begin, _ in moment.value if begin > 0]
    if moment.kind in (Kind.SPAN, Kind.LAST, Kind.INTERVAL):
        return []
    return moment.value if isinstance(moment.value, list) else [moment.value]


def _part(length: float, old: int, new: int) -> int:
    return max(round(length * new / old), 1)


def _each(value: Any, change: Any) -> Any:
    return [change(item) for item in value] if isinstance(value, list) else change(value)
