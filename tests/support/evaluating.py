"""Validates made predictions with mmengine's own loop, in as many processes as a launcher starts.

    python evaluating.py FOLDER [ROUND_UP]

FOLDER has what `write_truth` writes. Each process works in a directory of its own and writes what is reported there,
`FOLDER/out/<processes>/<rank>/reported.json`: of one evaluation as it is, one of the same predictions with
small scores, and one of nothing.
"""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import sys
import time
from typing import Any

import mmcv
import numpy as np
import torch
from mmdet.evaluation.metrics import BaseVideoMetric
from mmdet.registry import DATASETS, METRICS, MODELS
from mmengine.dist import get_rank, get_world_size
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement, PixelData
from pycocotools import mask as masks

from model_def.evaluate.validation import ValidationReducer
from model_def.platform.processes import join, leave
from model_def.runner import ParkedRunner

THINGS, STUFF = ("circle", "square", "star"), ("sky", "grass")
IMAGES, SIZE = 7, 64
PATIENCE = 3  # seconds of the process group, where it is tested


def corners(index: int) -> np.ndarray:
    """The true boxes of an image, (x1, y1, x2, y2); the label of the i-th is i % 3."""
    random = np.random.default_rng(index)
    start = random.integers(0, 40, (5, 2))
    return np.hstack([start, start + random.integers(6, 22, (5, 2))]).astype(np.float32)


def mask(box: np.ndarray) -> np.ndarray:
    """An ellipse's lower half, as bytes of shape (SIZE, SIZE)."""
    y, x = np.mgrid[:SIZE, :SIZE]
    middle, radius = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    ellipse = ((x - middle[0]) / radius[0]) ** 2 + ((y - middle[1]) / radius[1]) ** 2 <= 1
    return np.asfortranarray(ellipse, dtype=np.uint8)


def panoptic(index: int, shift: int) -> np.ndarray:
    """Label + 1000 * instance of each pixel: two stuff classes, and boxes on them."""
    found = np.full((SIZE, SIZE), 3, dtype=np.int64)
    found[SIZE // 2 + shift :] = 4
    for number, (x1, y1, x2, y2) in enumerate(corners(index).astype(int)):
        found[y1 + shift : y2, x1:x2] = number % 3 + 1000 * (number + 1)
    return found


def write_truth(folder: pathlib.Path) -> None:
    """`truth.json` for COCO and LVIS, `panoptic.json` and its pictures."""
    classes = [*THINGS, *STUFF]
    categories = [
        {"id": index + 1, "name": name, "isthing": int(name in THINGS), "frequency": "rcf"[index % 3]}
        for index, name in enumerate(classes)
    ]
    every = [category["id"] for category in categories]
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    segments: list[dict[str, Any]] = []
    for index in range(IMAGES):
        name = {"id": index, "file_name": f"{index}.jpg", "width": SIZE, "height": SIZE}
        images.append({**name, "neg_category_ids": every, "not_exhaustive_category_ids": [1]})
        for number, box in enumerate(corners(index).tolist()):
            encoded = masks.encode(mask(np.array(box)))
            annotations.append({
                "id": len(annotations) + 1, "image_id": index, "category_id": number % 3 + 1, "iscrowd": 0,
                "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]], "area": float(masks.area(encoded)),
                "segmentation": {**encoded, "counts": encoded["counts"].decode()},
            })  # fmt: skip
        known = panoptic(index, 0)
        colours = np.stack([known >> 16, known >> 8 & 255, known & 255], -1).astype(np.uint8)
        mmcv.imwrite(colours, f"{folder}/{index}.png")
        segments.append({
            "image_id": index, "file_name": f"{index}.png", "segments_info": [
                {"id": int(each), "category_id": int(each) % 1000 + 1, "iscrowd": 0, "area": int((known == each).sum())}
                for each in np.unique(known)
            ],
        })  # fmt: skip
    head = {"images": images, "categories": categories, "info": {}}
    (folder / "truth.json").write_text(json.dumps({**head, "annotations": annotations}))
    (folder / "panoptic.json").write_text(json.dumps({**head, "annotations": segments}))


CLASSES = {"classes": (*THINGS, *STUFF), "thing_classes": THINGS, "stuff_classes": STUFF, "dataset_type": "VOC2007"}


@DATASETS.register_module()
class Indices(torch.utils.data.Dataset):
    metainfo = CLASSES

    def __len__(self) -> int:
        return IMAGES

    def __getitem__(self, index: int) -> int:
        return index


@MODELS.register_module()
class Made(BaseModel):
    """Finds the true boxes, a little off. `scores` scales their scores; 0 finds nothing."""

    scores = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def val_step(self, indices: torch.Tensor) -> list[BaseDataElement]:
        return [self.predict(int(index)) for index in indices]

    def forward(self, *_: Any) -> None:
        raise AssertionError("nothing may go through the wrapper's forward: processes have unequal shares")

    def predict(self, index: int) -> BaseDataElement:
        known = torch.from_numpy(corners(index))
        count = len(known) if self.scores else 0
        labels = torch.arange(len(known)) % 3
        boxes = (known + 0.7 * (index % 4))[:count]
        found = BaseDataElement(
            bboxes=boxes,
            labels=labels[:count],
            scores=torch.linspace(0.9, 0.3, count) * self.scores,
            masks=torch.from_numpy(np.array([mask(box) for box in boxes.numpy()]).reshape(count, SIZE, SIZE)),
        )
        seen = panoptic(index, index % 3) if self.scores else np.full((SIZE, SIZE), len(THINGS + STUFF))
        return BaseDataElement(
            metainfo={"img_id": index, "ori_shape": (SIZE, SIZE), "img_path": f"{index}.jpg"},
            pred_instances=found,
            gt_instances=BaseDataElement(bboxes=known, labels=labels),
            ignored_instances=BaseDataElement(bboxes=known[:0], labels=labels[:0]),
            pred_panoptic_seg=PixelData(sem_seg=torch.from_numpy(seen)[None]),
        )


@METRICS.register_module()
class Slow(BaseMetric):
    """Takes longer than the process group waits: on the last process to predict, on the first to compute metrics."""

    default_prefix = "slow"
    seconds = 0.0

    def process(self, data_batch: Any, data_samples: Any) -> None:
        if not self.results and get_rank() == get_world_size() - 1:
            time.sleep(self.seconds)
        self.results += [1] * len(data_samples)

    def compute_metrics(self, results: list[int]) -> dict[str, float]:
        time.sleep(self.seconds)
        return {"samples": float(len(results))}


@METRICS.register_module()
class Frames(BaseVideoMetric):
    """Gathers as mmdet's tracking metrics do, who know files only."""

    default_prefix = "frames"

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results += [sample["img_id"] for sample in data_samples]

    def compute_metrics(self, results: list[int]) -> dict[str, float]:
        return {"frames": float(len(set(results)))}


def main(folder: pathlib.Path, *, round_up: bool) -> None:
    join()
    own = folder / "out" / str(get_world_size()) / str(get_rank())
    own.mkdir(parents=True)
    os.chdir(own)
    truth = str(folder / "truth.json")
    metrics = [
        {"type": "CocoMetric", "ann_file": truth, "metric": ["bbox", "segm", "proposal"], "classwise": True},
        {"type": "LVISMetric", "ann_file": truth, "metric": ["bbox", "segm"]},
        {"type": "VOCMetric"},
        {"type": "Slow"},
        {"type": "Frames"},
    ]
    if "panopticapi" in sys.modules:
        metrics.append(
            {"type": "CocoPanopticMetric", "ann_file": str(folder / "panoptic.json"), "seg_prefix": str(folder)}
        )
    runner = ParkedRunner(
        model={"type": "Made"},
        work_dir=str(folder / "work"),
        val_dataloader={
            "dataset": {"type": "Indices"}, "batch_size": 2, "num_workers": 0,
            "sampler": {"type": "DefaultSampler", "shuffle": False, "round_up": round_up},
            "collate_fn": {"type": "default_collate"},
        },
        val_cfg={"type": "ValLoop"},
        val_evaluator=metrics,
        launcher="pytorch" if get_world_size() > 1 else "none",
        default_scope="mmdet",
    )  # fmt: skip
    reducer = ValidationReducer(runner)
    if get_world_size() == 2:
        Slow.seconds = PATIENCE + 2
        torch.distributed.distributed_c10d._set_pg_timeout(datetime.timedelta(seconds=PATIENCE))
    reported = {}
    for name, Made.scores in {"all": 1.0, "unsure": 1e-4, "nothing": 0.0}.items():
        reducer.validate()
        reported[name] = reducer.per_slot_reduce()
        Slow.seconds = 0.0
    assert os.listdir() == [], "no directory is shared by all processes"
    pathlib.Path("reported.json").write_text(json.dumps(reported))
    leave()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), round_up=sys.argv[2:] != ["uneven"])
