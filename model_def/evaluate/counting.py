"""faster-coco-eval's matching and counting, with pycocotools' digits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from faster_coco_eval import COCOeval_faster
from pycocotools import mask as masks

Array = npt.NDArray[Any]

# pycocotools divides by `tp + fp + np.spacing(1)`: this is its precision after a single detection, a true positive.
_FIRST = 1 / (1 + np.spacing(1))


class Counter(COCOeval_faster):
    """faster-coco-eval's evaluator; the overlaps of masks are pycocotools' own.

    Most detections are of a class that their image does not have: their masks are not even looked at.
    """

    def computeIoU(self, image: int, category: int) -> Any:
        """Overlaps of shape (detections by falling score, truths) of one image and class, or [] if it has not both."""
        p = self.params
        if p.iouType != "segm":
            return super().computeIoU(image, category)
        chosen = ([image], [category] if p.useCats else p.catIds, bool(p.useCats))
        truth, found = (each.get_instances(*chosen)[0][0] for each in (self.gt_dataset, self.dt_dataset))
        if not truth or not found:
            return []
        order = np.argsort([-each["score"] for each in found], kind="mergesort")[: p.maxDets[-1]]
        detected = [self.cocoDt.annToRLE(found[index]) for index in order]
        known = [self.cocoGt.annToRLE(each) for each in truth]
        return masks.iou(detected, known, [int(each.get("iscrowd", 0)) for each in truth])


def count(counter: Counter, params: Mapping[str, Any], annotations: list[dict[str, Any]]) -> dict[str, Any]:
    """Match and count as pycocotools does, to the last bit.

    faster-coco-eval leaves `np.spacing(1)` out of the precision's divisor. It is too small to change anything but
    1 / (1 + it). So where the precision is 1 we have to know whether it comes from one true positive alone, and look
    at a recall that takes two.

    Args:
        counter: holds the ground truth and the detections.
        params: pycocotools' parameters by their names: imgIds, catIds, iouThrs (T), recThrs (R), areaRng (A),
            maxDets (M), useCats.
        annotations: the ground truth that is not ignored whatever its area.

    Returns:
        pycocotools' `eval`: precision and scores of shape (T, R, K, A, M) with K classes, recall of shape (T, K, A, M).
    """
    truths = _truths(params, annotations)
    doubling = 2.0 ** np.arange(1, -np.frexp(truths.max(initial=1))[1] - 1, -1)
    thresholds = np.unique(np.concatenate([params["recThrs"], doubling]))
    for name, value in {**params, "recThrs": thresholds, "compute_rle": False}.items():
        setattr(counter.params, name, value)
    counter.evaluate()
    counter.accumulate()
    counts = dict(counter.eval)
    asked, probed = (np.searchsorted(thresholds, wanted) for wanted in (params["recThrs"], doubling))
    everywhere = counts["precision"]
    # `frexp` of n - 1: the power of two in which two of n truths lie beyond the recall, and one does not.
    level = (np.frexp(truths - 1)[1])[None, None, :, :, None]
    second = np.take_along_axis(everywhere[:, probed], level, axis=1)
    precision = everywhere[:, asked]
    precision[(precision == 1) & (second < 1)] = _FIRST
    return {**counts, "precision": precision, "scores": counts["scores"][:, asked]}


def has_nan(found: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a detection's score or box is not a number: the C++ side refuses it, pycocotools and lvis go on."""
    return any(math.isnan(sum(one.get("bbox", ()), one["score"])) for one in found)


def _truths(params: Mapping[str, Any], annotations: list[dict[str, Any]]) -> Array:
    """How many of the annotations are counted, of shape (classes, areas)."""
    areas = np.array([annotation["area"] for annotation in annotations], dtype=float)
    classes = np.zeros(len(annotations), dtype=int)
    if params["useCats"]:
        classes = np.searchsorted(params["catIds"], [annotation["category_id"] for annotation in annotations])
    length = len(params["catIds"]) if params["useCats"] else 1
    within = [(areas >= low) & (areas <= high) for low, high in params["areaRng"]]
    return np.stack([np.bincount(classes[chosen], minlength=length) for chosen in within], axis=1)
