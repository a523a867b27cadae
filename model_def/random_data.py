"""A config with random data in the place of its own, for a first step where the real data is not there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from model_def.compose.datasets import loader_datasets
from model_def.compose.require import VALIDATION
from model_def.compose.tree import dicts, type_name
from model_def.random_images import RandomImages
from model_def.random_videos import RandomVideos

DEFAULT = (1333, 800)  # width and height, of most of the zoo
# What can't be made up: a model of each needs more than objects in images or videos.
UNLIKE = {
    "MultiBranchDataPreprocessor": "several views of images, some without labels",
    "ReIDDataPreprocessor": "pictures that show the same persons",
}
TRACKER = "TrackDataPreprocessor"


def lacking(config: Config) -> str:
    """What the config's model learns from that can't be made up; "" if random images or videos will do."""
    model, kinds = config.model, {type_name(node) for _, node in dicts(config.model.to_dict())}
    if "language_model" in model or "text_encoder" in model:
        return "phrases about images"
    unlike = [what for kind, what in UNLIKE.items() if kind in kinds]
    known = list(loader_datasets(config.to_dict(), "train_dataloader"))
    return unlike[0] if unlike else "" if known else "data of a kind of its own"


def random_config(config: Config) -> Config:
    """`config` with random images or videos to train on; no validation but for trackers, which predict on a video."""
    tree = copy.deepcopy(config.to_dict())
    tracker = next((node for _, node in dicts(tree["model"]) if type_name(node) == TRACKER), None)
    images = _images(tree)
    videos = {**images, "type": f"mmengine.{RandomVideos.__name__}", "frames": _frames(tree)}
    train, sampler = tree["train_dataloader"], {"type": "DefaultSampler", "shuffle": False}
    train.pop("batch_sampler", None)
    train |= {"dataset": images if tracker is None or tracker.get("use_det_processor") else videos, "sampler": sampler}
    tree |= dict.fromkeys(VALIDATION)
    if tracker is not None:
        tree |= {"val_dataloader": {"batch_size": 1, "num_workers": 0, "dataset": videos, "sampler": sampler}}
        tree |= {"val_cfg": {}, "val_evaluator": []}
    return Config(tree)


def in_words(config: Config) -> str:
    """What a random config trains on: `random images of 1333 × 800`."""
    dataset = config.train_dataloader.dataset
    videos = f"videos of {dataset.frames} frames" if "frames" in dataset else "images"
    return f"random {videos} of {dataset['size'][0]} × {dataset['size'][1]}"


def _images(tree: dict[str, Any]) -> dict[str, Any]:
    nodes = [node for _, node in dicts(tree["train_dataloader"]["dataset"])]
    panoptic = any("Panoptic" in str(node.get("type")) for node in nodes)
    counts = [node["num_classes"] for _, node in dicts(tree["model"]) if isinstance(node.get("num_classes"), int)]
    things = [node for _, node in dicts(tree["model"]) if "num_things_classes" in node]
    classes = min(counts, default=things[0]["num_things_classes"] if things else 1)
    segments = max((node["num_things_classes"] + node["num_stuff_classes"] for node in things), default=classes)
    return {
        "type": f"mmengine.{RandomImages.__name__}",
        "size": max(sizes(nodes), default=DEFAULT),
        "classes": max(classes, 1),
        "segments": segments if panoptic or any(node.get("with_seg") for node in nodes) else 0,
        "masks": panoptic or any(node.get("with_mask") for node in nodes),
    }


def _frames(tree: dict[str, Any]) -> int:
    """How many frames of a video are learnt from: the key frame and those that its pipeline draws beside it."""
    nodes = [node for _, node in dicts(tree["train_dataloader"]["dataset"])]
    return 1 + next((node["num_ref_imgs"] for node in nodes if "num_ref_imgs" in node), 1)


def sizes(nodes: list[dict[str, Any]]) -> Iterator[tuple[int, int]]:
    """The image sizes (width, height) that the transforms among `nodes` name."""
    for found in (node.get(key) for node in nodes for key in ("scale", "img_scale", "crop_size", "scales")):
        several = isinstance(found, list) and found and isinstance(found[0], list | tuple)
        pairs: list[Any] = found if isinstance(found, list) and several else [found]
        for pair in pairs:
            if isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(n, int) and n > 0 for n in pair):
                yield max(pair), min(pair)
