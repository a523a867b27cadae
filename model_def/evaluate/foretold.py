"""The names that an evaluator will report, as far as they are known before it has run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric, Evaluator

from model_def.evaluate.expected import expected
from model_def.evaluate.names import reported

_PANOPTIC = [f"{kind}{part}" for part in ("", "_th", "_st") for kind in ("PQ", "SQ", "RQ")]
_CROWD = {"AP": "mAP", "MR": "mMR", "JI": "JI"}


def foretold(evaluator: Evaluator, prefixes: Sequence[str] = ("",)) -> tuple[str, ...]:
    """The reported names of mmdet's own evaluators; none if one of them, or of your own, can't be foretold."""
    every = [_names(metric) for metric in evaluator.metrics]
    if type(evaluator) is not Evaluator or not all(every):  # a subclass of it names metrics in its own way
        return ()
    full = {
        f"{prefix}{metric.prefix}/{name}" if metric.prefix else f"{prefix}{name}": 0.0
        for metric, names in zip(evaluator.metrics, every, strict=True)
        for name in names
        for prefix in prefixes
    }
    return tuple(reported(evaluator, full, prefixes))


def _names(metric: BaseMetric) -> list[str]:
    own = type(metric).__module__.startswith("mmdet.")  # a class derived from one of these may report more
    return _FORETOLD[type(metric).__name__](metric) if own and type(metric).__name__ in _FORETOLD else []


def _coco(metric: Any) -> list[str]:
    recalls = [f"AR@{number}" for number in metric.proposal_nums] if "proposal_fast" in metric.metrics else []
    short = [name.removeprefix(f"{metric.prefix}/") for name in expected(metric)]
    nameless = metric.classwise and not metric.dataset_meta  # the classes are known once the data set is
    return [] if metric.format_only or nameless else [*short, *recalls]


def _voc(metric: Any) -> list[str]:
    thresholds = metric.iou_thrs if isinstance(metric.iou_thrs, list | tuple) else [metric.iou_thrs]
    return ["mAP", *(f"AP{int(each * 100):02d}" for each in thresholds)] if metric.metric == "mAP" else []


_FORETOLD: Mapping[str, Callable[[Any], list[str]]] = {
    "CocoMetric": _coco,
    "LVISMetric": _coco,
    "CocoPanopticMetric": lambda _: _PANOPTIC,
    "VOCMetric": _voc,
    "OpenImagesMetric": lambda metric: ["mAP", *(f"AP{int(each * 100):02d}" for each in metric.iou_thrs)],
    "CrowdHumanMetric": lambda metric: [_CROWD[each] for each in metric.metrics],
    "CityScapesMetric": lambda _: ["mAP", "AP@50"],
}
