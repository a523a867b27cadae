"""The metrics that an evaluation always has: without any detection mmdet leaves COCO's and LVIS' out."""

from __future__ import annotations

from mmdet.evaluation import CocoMetric, LVISMetric, OVCocoMetric
from mmengine.evaluator import BaseMetric

_COCO = ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l")
_COCO_PROPOSALS = ("AR@100", "AR@300", "AR@1000", "AR_s@1000", "AR_m@1000", "AR_l@1000")
_LVIS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf")
_OPEN_VOCABULARY = ("base_ap", "novel_ap", "base_ap50", "novel_ap50")
_LVIS_PROPOSALS = ("AR@300", "ARs@300", "ARm@300", "ARl@300")


def expected(metric: BaseMetric) -> list[str]:
    """The full names, such as `coco/bbox_mAP`, that `metric` has whenever anything is detected."""
    if not isinstance(metric, CocoMetric) or metric.format_only:
        return []
    of_lvis = isinstance(metric, LVISMetric)
    boxes, proposals = (_LVIS, _LVIS_PROPOSALS) if of_lvis else (_COCO, _COCO_PROPOSALS)
    names = []
    for kind in metric.metrics:
        if kind == "proposal":
            names += [*(metric.metric_items or proposals)]
        elif kind != "proposal_fast":  # its recalls are computed from nothing as well
            names += [f"{kind}_{item}" for item in metric.metric_items or boxes]
            names += [f"{name}_precision" for name in _classes(metric)]
            names += _OPEN_VOCABULARY if isinstance(metric, OVCocoMetric) else ()
    return [f"{metric.prefix}/{name}" if metric.prefix else name for name in names]


def _classes(metric: CocoMetric) -> list[str]:
    """The classes that have an AP each."""
    api = metric._lvis_api if isinstance(metric, LVISMetric) else metric._coco_api
    several = isinstance(metric.dataset_meta, list)  # of data sets: each metric is told its own when it is first asked
    named = () if several or not metric.dataset_meta else metric.dataset_meta.get("classes", ())
    if not metric.classwise or api is None:
        return [*named] if metric.classwise else []
    return [each["name"] for each in api.cats.values() if isinstance(metric, LVISMetric) or each["name"] in named]
