"""What a COCO or LVIS evaluator has counted on its way to a metric: the precision of each class, and who is taken for
whom. Nothing is evaluated a second time.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from mmdet.evaluation import CocoMetric, LVISMetric
from mmengine.evaluator import BaseMetric
from pycocotools import mask as masks

SURE, NEAR = 0.3, 0.5  # score and overlap (IoU) from which a detection counts in the confusion matrix
NOTHING = -1
_HEADLINE = 100  # detections of an image: with so many COCO's mAP is computed
_RECALLS = 101

Array = npt.NDArray[Any]
Annotation = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counted:
    """One kind of prediction, counted.

    Attributes:
        kind: `bbox` or `segm`.
        classes: the names of K classes.
        overlaps: T, from which a detection is right.
        precision: of shape (T, R, K) at R recalls from 0 to 1; -1 where a class has no truth.
        pairs: of shape (N, 2): the class of a truth and that of its detection, or NOTHING; None where it can't be said.
    """

    kind: str
    classes: tuple[str, ...]
    overlaps: tuple[float, ...]
    precision: Array
    pairs: Array | None

    def average(self) -> dict[str, float]:
        """AP of each class that has a truth."""
        every = {name: self.precision[:, :, place] for place, name in enumerate(self.classes)}
        return {name: float(np.mean(each[each > -1])) for name, each in every.items() if (each > -1).any()}


def counts(metric: BaseMetric) -> bool:
    """Whether this evaluator's counts will be known."""
    return isinstance(metric, CocoMetric) and not metric.format_only and bool({"bbox", "segm"} & {*metric.metrics})


def of_coco(evaluator: Any) -> Counted | None:
    """What pycocotools' evaluator has counted; None if it took all classes for one (proposals)."""
    p, truth = evaluator.params, evaluator.cocoGt
    if not p.useCats:
        return None
    most = [*p.maxDets].index(_HEADLINE) if _HEADLINE in p.maxDets else -1
    precision = evaluator.eval["precision"][:, :, :, 0, most]
    pairs = confused(_annotations(truth, p), _annotations(evaluator.cocoDt, p), p.catIds)
    return _counted(p.iouType, truth, p.catIds, p.iouThrs, precision, pairs)


def of_lvis(evaluator: Any) -> Counted | None:
    """What lvis' evaluator has counted. It doesn't know all objects of an image: no confusion can be told."""
    p = evaluator.params
    if not p.use_cats:
        return None
    return _counted(p.iou_type, evaluator.lvis_gt, p.cat_ids, p.iou_thrs, evaluator.eval["precision"][..., 0], None)


def nothing_found(metric: BaseMetric) -> list[Counted]:
    """The same where nothing was detected: mmdet doesn't even make an evaluator then."""
    if not counts(metric):
        return []
    of_lvis = isinstance(metric, LVISMetric)
    truth = metric._lvis_api if of_lvis else metric._coco_api
    classes, images = sorted(metric.cat_ids), {*metric.img_ids}
    known = [one for one in truth.dataset["annotations"] if one["image_id"] in images]
    there = {one["category_id"] for one in known if not one.get("iscrowd")}
    precision = np.where([each in there for each in classes], 0.0, -1.0)
    precision = np.broadcast_to(precision, (len(metric.iou_thrs), _RECALLS, len(classes)))
    pairs = None if of_lvis else confused([one for one in known if one["category_id"] in classes], [], classes)
    kinds = [kind for kind in metric.metrics if kind in ("bbox", "segm")]
    return [_counted(kind, truth, classes, metric.iou_thrs, precision, pairs) for kind in kinds]


def confused(known: Iterable[Annotation], found: Iterable[Annotation], classes: Sequence[int]) -> Array:
    """Pairs of places in `classes`, (truth, detection), of shape (N, 2); NOTHING where one has no partner.

    The surest detections choose first, each the truth that it overlaps most, whatever its class. What covers a crowd is
    left out.
    """
    place = {each: index for index, each in enumerate(classes)}
    images: dict[int, tuple[list[Annotation], list[Annotation]]] = defaultdict(lambda: ([], []))
    for one in known:
        images[one["image_id"]][0].append(one)
    for one in found:
        if one["score"] >= SURE:
            images[one["image_id"]][1].append(one)
    pairs = [
        [place[one["category_id"]] if one else NOTHING for one in pair]
        for truths, sure in images.values()
        for pair in _matched(truths, sorted(sure, key=lambda one: -one["score"]))
    ]
    return np.array(pairs, dtype=int).reshape(-1, 2)


def _matched(truths: Sequence[Annotation], sure: Sequence[Annotation]) -> Iterator[tuple[Any, Any]]:
    """Pairs of one image, as in `confused`; None for nothing."""
    crowd = np.array([bool(one.get("iscrowd")) for one in truths], dtype=bool)
    free = ~crowd
    for detection, row in zip(sure, _overlaps(sure, truths, crowd), strict=True):
        near = row >= NEAR
        if (near & free).any():
            best = int(np.argmax(np.where(free, row, 0)))
            free[best] = False
            yield truths[best], detection
        elif not (near & crowd).any():
            yield None, detection
    yield from ((truths[int(index)], None) for index in np.flatnonzero(free))


def _overlaps(found: Sequence[Annotation], truths: Sequence[Annotation], crowd: Array) -> Array:
    """IoU of boxes, of shape (found, truths)."""
    if not found or not truths:
        return np.zeros((len(found), len(truths)))
    boxes = [np.array([one["bbox"] for one in each], dtype=np.float64) for each in (found, truths)]
    overlaps: Array = masks.iou(*boxes, crowd.astype(np.uint8))
    return overlaps


def _annotations(api: Any, p: Any) -> list[Annotation]:
    classes, images = {*p.catIds}, {*p.imgIds}
    return [one for one in api.dataset["annotations"] if one["category_id"] in classes and one["image_id"] in images]


def _counted(kind: str, truth: Any, classes: Sequence[int], overlaps: Any, precision: Array, pairs: Any) -> Counted:
    names = tuple(truth.cats[each]["name"] for each in classes)
    return Counted(
        kind=kind, classes=names, overlaps=tuple(map(float, overlaps)), precision=np.array(precision), pairs=pairs
    )
