"""The results that mmdet's COCO and LVIS metrics write to a temporary JSON file and read again: they stay in memory."""

from __future__ import annotations

from typing import Any

from lvis import LVISResults
from mmdet.evaluation import CocoMetric, LVISMetric
from mmengine.evaluator import BaseMetric
from mmengine.fileio import dump, load, put_text


class Written:
    """mmengine's `dump` and `load`, for results that somebody else may read."""

    def dump(self, content: Any, file: str) -> None:
        """mmengine's `dump` to a JSON file, the same text by json's C encoder: for a stream json takes its slow one."""
        put_text(dump(content, file_format="json"), file)

    def substitutes(self, theirs: dict[str, Any]) -> dict[str, Any]:
        """What a module with the names `theirs` is to see."""
        return {"dump": self.dump} if theirs.get("dump") is dump else {}


class Kept(Written):
    """`dump` and `load` for results that only the metric itself reads. What else it writes is written."""

    def __init__(self) -> None:
        self._results: dict[str, list[dict[str, Any]]] = {}

    def dump(self, content: Any, file: str) -> None:
        """Keep a list of results."""
        if isinstance(content, list):
            self._results[file] = content
        else:
            super().dump(content, file)

    def load(self, file: str) -> Any:
        """The results as a file would give them, each a dict of its own: whoever loads them adds and removes keys."""
        return [dict(result) for result in self._results[file]] if file in self._results else load(file)

    def substitutes(self, theirs: dict[str, Any]) -> dict[str, Any]:
        """What a module with the names `theirs` is to see."""
        seen: dict[str, Any] = super().substitutes(theirs)
        if theirs.get("load") is load:
            seen["load"] = self.load
        if theirs.get("LVISResults") is LVISResults:
            seen["LVISResults"] = self._lvis_results()
        return seen

    def _lvis_results(self) -> type:
        class KeptResults(LVISResults):
            def _load_json(_, path: str) -> Any:
                return self.load(path)

        return KeptResults


def handover(metric: BaseMetric) -> Written:
    """How `metric` is to hand its results to itself: a user's class may read the file, as may who has named it."""
    own = type(metric)
    theirs = CocoMetric if own.compute_metrics is CocoMetric.compute_metrics else LVISMetric
    known = all(getattr(own, name, None) is getattr(theirs, name) for name in ("compute_metrics", "results2json"))
    return Kept() if known and vars(metric).get("outfile_prefix") is None else Written()
