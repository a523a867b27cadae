"""Parts of your own for MMDetection. `my_parts.yaml` names this module in `custom_imports`, and then uses them."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS, TRANSFORMS


@TRANSFORMS.register_module()
class MyFlip(BaseTransform):
    """Mirrors an image and its boxes along the diagonal from the upper left to the lower right, now and then.

    With RandomFlip this makes all eight ways to lay a photograph taken from above. Masks are not mirrored.

    Args:
        prob: how often, from 0 to 1.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    @cache_randomness  # one answer for all images of a sample
    def _flips(self) -> bool:
        return bool(np.random.rand() < self.prob)  # mmengine seeds this generator

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change `img` (height, width, 3), `img_shape` and `gt_bboxes`, boxes of x1, y1, x2, y2 in pixels."""
        if not self._flips():
            return results
        results["img"] = np.ascontiguousarray(results["img"].swapaxes(0, 1))
        results["img_shape"] = results["img"].shape[:2]
        if "gt_bboxes" in results:
            boxes = results["gt_bboxes"]
            results["gt_bboxes"] = type(boxes)(boxes.tensor[:, [1, 0, 3, 2]])
        return results


@DATASETS.register_module()
class MyDataset(CocoDataset):
    """A COCO file of which objects that are too small to be seen count as regions to ignore.

    Args:
        least: the shorter side of the smallest box that counts, in pixels.
        **settings: CocoDataset's own.
    """

    def __init__(self, *, least: float = 0, **settings: Any) -> None:
        self.least = least  # first: CocoDataset's __init__ may already read the file
        super().__init__(**settings)

    def parse_data_info(self, raw_data_info: dict[str, Any]) -> dict[str, Any]:
        """One image of the file, as mmdet's data sets describe it."""
        image: dict[str, Any] = super().parse_data_info(raw_data_info)
        for instance in image["instances"]:
            x1, y1, x2, y2 = instance["bbox"]
            if min(x2 - x1, y2 - y1) < self.least:
                instance["ignore_flag"] = 1
        return image
