"""A data set of random images with random objects, for a first step where the real data is not there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.registry import DATASETS
from mmengine.structures import InstanceData, PixelData
from torch.utils.data import Dataset

from model_def.compose.datasets import loader_datasets
from model_def.compose.tree import dicts

# What these make of a batch needs more than images and objects: branches, frames, identities.
UNLIKE = ("MultiBranchDataPreprocessor", "TrackDataPreprocessor", "ReIDDataPreprocessor", "BatchDataPreprocessor")
DEFAULT = (1333, 800)  # width and height, of most of the zoo
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


def random_config(config: Config) -> Config | None:
    """`config` with random images to train on and no validation; None if its model wants something else."""
    tree = copy.deepcopy(config.to_dict())
    kinds = {node.get("type") for _, node in dicts(tree["model"])}
    loader = tree["train_dataloader"]
    if kinds & {*UNLIKE} or _needs_text(tree) or not list(loader_datasets(tree, "train_dataloader")):
        return None
    loader.pop("batch_sampler", None)
    loader |= {"dataset": _images(tree), "sampler": {"type": "DefaultSampler", "shuffle": False}}
    return Config({**tree, "val_dataloader": None, "val_cfg": None, "val_evaluator": None})


def _images(tree: dict[str, Any]) -> dict[str, Any]:
    nodes = [node for _, node in dicts(tree["train_dataloader"]["dataset"])]
    panoptic = any("Panoptic" in str(node.get("type")) for node in nodes)
    counts = [node["num_classes"] for _, node in dicts(tree["model"]) if isinstance(node.get("num_classes"), int)]
    things = [node for _, node in dicts(tree["model"]) if "num_things_classes" in node]
    classes = min(counts, default=things[0]["num_things_classes"] if things else 1)
    segments = max((node["num_things_classes"] + node["num_stuff_classes"] for node in things), default=classes)
    return {
        "type": "mmengine.RandomImages",
        "size": max(sizes(nodes), default=DEFAULT),
        "classes": max(classes, 1),
        "segments": segments if panoptic or any(node.get("with_seg") for node in nodes) else 0,
        "masks": panoptic or any(node.get("with_mask") for node in nodes),
    }


def sizes(nodes: list[dict[str, Any]]) -> Iterator[tuple[int, int]]:
    """The image sizes (width, height) that the transforms among `nodes` name."""
    for found in (node.get(key) for node in nodes for key in ("scale", "img_scale", "crop_size", "scales")):
        several = isinstance(found, list) and found and isinstance(found[0], list | tuple)
        pairs: list[Any] = found if isinstance(found, list) and several else [found]
        for pair in pairs:
            if isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(n, int) and n > 0 for n in pair):
                yield max(pair), min(pair)


def _needs_text(tree: dict[str, Any]) -> bool:
    return "language_model" in tree["model"] or "text_encoder" in tree["model"]


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
