"""A data set of random images with random objects, for a first step where the real data is not there."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.registry import DATASETS
from mmengine.structures import InstanceData, PixelData
from torch.utils.data import Dataset

OBJECTS = 5  # in an image


@DATASETS.register_module()
class RandomImages(Dataset[dict[str, Any]]):
    """Images as a pipeline packs them: `{inputs: uint8 (3, H, W), data_samples: boxes, labels, masks, segments}`.

    Args:
        size: width and height in pixels.
        classes: of the objects.
        segments: of the semantic segmentation; 0 for none.
        masks: whether objects have masks.
    """

    metainfo: ClassVar[dict[str, Any]] = {}

    def __init__(self, *, size: tuple[int, int], classes: int, segments: int = 0, masks: bool = False) -> None:
        self.size, self.classes, self.segments, self.masks = size, classes, segments, masks

    def __len__(self) -> int:
        return 1000

    def full_init(self) -> None:
        """mmengine calls this before training."""

    def get_data_info(self, index: int) -> dict[str, int]:
        """What samplers that look at the sides of images ask for."""
        return {"width": self.size[0], "height": self.size[1], "img_id": index}

    def __getitem__(self, index: int) -> dict[str, Any]:
        random, (width, height) = np.random.default_rng(index), self.size
        corners = np.sort(random.integers(0, (width // 2, height // 2), (2, OBJECTS, 2)), axis=0)
        boxes = np.concatenate([corners[0], corners[1] + 16], axis=1).clip(0, (width, height) * 2)
        objects = InstanceData(
            bboxes=HorizontalBoxes(torch.from_numpy(boxes).float()),
            labels=torch.from_numpy(random.integers(0, self.classes, OBJECTS)),
        )
        if self.masks:
            objects.masks = BitmapMasks(np.stack([_filled(box, self.size) for box in boxes]), height, width)
        sample = DetDataSample(gt_instances=objects, ignored_instances=_none(self.masks, self.size))
        if self.segments:
            labels = random.integers(0, self.segments, (1, height, width), dtype=np.uint8)
            sample.gt_sem_seg = PixelData(sem_seg=torch.from_numpy(labels))
        sample.set_metainfo(_about(index, (height, width)))
        image = torch.from_numpy(random.integers(0, 256, (3, height, width), dtype=np.uint8))
        return {"inputs": image, "data_samples": sample}


def _filled(box: Any, size: tuple[int, int]) -> Any:
    mask = np.zeros((size[1], size[0]), dtype=np.uint8)
    left, top, right, bottom = box
    mask[top:bottom, left:right] = 1
    return mask


def _none(masks: bool, size: tuple[int, int]) -> InstanceData:
    found = InstanceData(bboxes=HorizontalBoxes(torch.zeros(0, 4)), labels=torch.zeros(0, dtype=torch.long))
    if masks:
        found.masks = BitmapMasks(np.zeros((0, size[1], size[0]), dtype=np.uint8), size[1], size[0])
    return found


def _about(index: int, shape: tuple[int, int]) -> dict[str, Any]:
    return {
        "img_id": index,
        "img_shape": shape,
        "ori_shape": shape,
        "scale_factor": (1.0, 1.0),
        "flip": False,
        "flip_direction": None,
        "border": (0, shape[0], 0, shape[1]),  # CenterNet's
    }
