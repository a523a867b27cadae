"""The COCO and LVIS evaluators that metrics see while they compute: fast, and with unrounded statistics."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import lvis.eval
import numpy as np
from faster_coco_eval import COCO
from lvis import LVISEval
from pycocotools.cocoeval import COCOeval

from model_def.evaluate.counted import Counted, of_coco, of_lvis
from model_def.evaluate.counting import Counter, count, has_nan
from model_def.evaluate.shadow import numpy_with, shadowed

LVIS_NAME = "LVISEval"
_COCO_NAMES = ("COCOeval", "COCOevalMP", "YTVISeval")  # what mmdet's modules call them


Keep = Callable[[Counted | None], None]


class FastCOCOeval(COCOeval):
    """pycocotools' evaluator, its matching and counting done in C++. Parameters and summary are pycocotools' own."""

    def evaluate(self) -> None:
        """Match and count; per-image results are not kept (`evalImgs` stays empty)."""
        if has_nan(self.cocoDt.dataset["annotations"]):
            self.eval = {}
            super().evaluate()
            return
        p = self.params
        p.imgIds, p.maxDets = list(np.unique(p.imgIds)), sorted(p.maxDets)
        if p.useCats:
            p.catIds = list(np.unique(p.catIds))
        self._paramsEval = copy.deepcopy(p)
        truth = self.cocoGt.loadAnns(self.cocoGt.getAnnIds(imgIds=p.imgIds, catIds=p.catIds))
        names = ("imgIds", "catIds", "iouThrs", "recThrs", "areaRng", "maxDets", "useCats")
        self.eval = count(
            Counter(self.cocoGt, self.cocoDt, p.iouType),
            {name: getattr(p, name) for name in names},
            [annotation for annotation in truth if not annotation.get("iscrowd")],
        )
        self.eval["params"] = p

    def accumulate(self, p: Any = None) -> None:
        """`evaluate` has done it, unless pycocotools' own did."""
        if not self.eval:
            super().accumulate(p)


class StockLVISEval(LVISEval):
    """lvis' own evaluator, made to run with a numpy that has no `np.float` any more."""

    def accumulate(self) -> None:
        """What lvis does."""
        with shadowed(lvis.eval, {"np": numpy_with(float=float)}):
            super().accumulate()


class FastLVISEval(StockLVISEval):
    """lvis' evaluator, its matching and counting done in C++. Parameters and summary are lvis' own."""

    def evaluate(self) -> None:
        """Match and count; per-image results are not kept."""
        p = self.params
        truth, found = list(self.lvis_gt.anns.values()), self.lvis_dt.dataset["annotations"]
        crowds = any(annotation.get("ignore") or annotation.get("iscrowd") for annotation in truth)
        if not p.use_cats or crowds or has_nan(found):
            super().evaluate()  # the C++ side knows crowds as COCO has them, and LVIS does not
            return
        p.img_ids = list(np.unique(p.img_ids))
        self.freq_groups = self._prepare_freq_group()
        images, classes = set(p.img_ids), set(p.cat_ids)
        params = {
            "imgIds": p.img_ids, "catIds": p.cat_ids, "iouThrs": p.iou_thrs, "recThrs": p.rec_thrs,
            "areaRng": p.area_rng, "maxDets": [max(len(found), 1)], "useCats": 1,
        }  # fmt: skip
        counts = count(
            Counter(COCO(self.lvis_gt.dataset), COCO(self.lvis_dt.dataset), p.iou_type, lvis_style=True),
            params,
            [each for each in truth if each["image_id"] in images and each["category_id"] in classes],
        )
        self.eval = {"params": p, "precision": counts["precision"][..., 0], "recall": counts["recall"][..., 0]}

    def accumulate(self) -> None:
        """`evaluate` has done it, unless lvis' own did."""
        if not self.eval:
            super().accumulate()


def substitutes(module: ModuleType, unrounded: Callable[[Any], float], keep: Keep, *, fast: bool) -> dict[str, Any]:
    """The evaluators that `module` is to see, by the names that it calls them.

    Args:
        module: a metric's.
        unrounded: wraps a statistic so that formatting does not round it.
        keep: takes what each evaluator has counted.
        fast: whether COCO's and LVIS' count in C++.
    """
    theirs = vars(module)
    found = {name: theirs[name] for name in _COCO_NAMES if isinstance(theirs.get(name), type)}
    if fast and found.get("COCOeval") is COCOeval:
        found["COCOeval"] = FastCOCOeval
    seen: dict[str, Any] = {name: _with_unrounded_stats(cls, unrounded, keep) for name, cls in found.items()}
    if theirs.get(LVIS_NAME) is LVISEval:
        seen[LVIS_NAME] = _with_unrounded_results(FastLVISEval if fast else StockLVISEval, unrounded, keep)
    return seen


def _with_unrounded_stats(cls: Any, unrounded: Callable[[Any], float], keep: Keep) -> type:
    class Unrounded(cls):
        def summarize(self) -> None:
            super().summarize()
            stats: Any = vars(self)["stats"]
            self.stats = [unrounded(value) for value in stats]
            if issubclass(cls, COCOeval):
                keep(of_coco(self))

        def __reduce__(self) -> tuple[Any, ...]:
            """COCOevalMP sends itself to processes that match: this local class can't travel, the one above can."""
            return _with_state, (cls, vars(self))

    return Unrounded


def _with_state(cls: Any, state: dict[str, Any]) -> Any:
    made = cls.__new__(cls)
    vars(made).update(state)
    return made


def _with_unrounded_results(cls: Any, unrounded: Callable[[Any], float], keep: Keep) -> type:
    class Unrounded(cls):
        def get_results(self) -> dict[str, float]:
            keep(of_lvis(self))
            return {name: unrounded(value) for name, value in super().get_results().items()}

    return Unrounded
