"""Smaller images and shorter lists of layers and candidates. What a config is made of stays as it is."""

from __future__ import annotations

from typing import Any

from model_def.compose.tree import dicts
from tests.parity.channels import RESNETS, thin_backbone

SMALLEST, STEP = 64, 32
IMAGE_KEYS = ("scale", "img_scale", "crop_size", "size", "random_size_range", "scales")
# At most so many; a small image has not more places to look at.
FEW = {
    "num_queries": 30,
    "num_proposals": 20,
    "num_dn_queries": 20,
    "nms_pre": 60,
    "nms_post": 40,
    "max_per_img": 20,
    "num_max_proposals": 20,
    "stacked_convs": 2,
    "stack_times": 2,
    "num_modules": 1,
    "num_cp": 2,  # layers that are computed twice to save memory
    "fc_out_channels": 64,
    "feedforward_channels": 64,
}

PERSONS = 2
GRIDS = 4  # times coarser: SOLO looks for an object in every cell
SURE = {"init_track_thr", "init_score_thr", "obj_score_thr"}


def fewer(config: dict[str, Any]) -> None:
    """Fewer layers, thinner backbones and shorter lists, in place."""
    for path, node in dicts(config["model"]):
        for key, most in FEW.items():
            if isinstance(node.get(key), int) and not isinstance(node[key], bool):
                node[key] = min(node[key], most)
        _samples(node)
        _depths(node)
        if isinstance(node.get("num_layers"), int) and any("coder" in str(part) for part in path):
            node["num_layers"] = min(node["num_layers"], 2)
        if "test_cfg" in path and "score_thr" in node and not _many_classes(config["model"]):
            node["score_thr"] = 0.0  # an untrained model is never sure, and what it finds shall be compared
        if path and path[-1] == "tracker":
            node.update(dict.fromkeys(SURE & node.keys(), 0.0))
            node.update({"obj_score_thrs": {"high": 0.0, "low": 0.0}} if "obj_score_thrs" in node else {})
            _followed(node)
        if isinstance(node.get("backbone"), dict) and node.get("neck"):
            thin_backbone(node)
    _persons(config)


def _followed(tracker: dict[str, Any]) -> None:
    """Boxes of an untrained detector are unsure, and still the same ones in the next frame: tracks of some length."""
    for key in ("match_iou_thr", "match_iou_thrs"):
        if isinstance(tracker.get(key), dict):
            tracker[key] = dict.fromkeys(tracker[key], 0.0)
        elif key in tracker:
            tracker[key] = 0.0


def fewer_repeats(config: dict[str, Any]) -> None:
    """A RepeatDataset repeats half of the made images twice, in place."""
    for _, node in dicts(config["train_dataloader"]):
        if "times" in node:
            node["times"] = min(node["times"], 2)
            if "ann_file" in node["dataset"]:
                node["dataset"]["indices"] = 4


def _persons(config: dict[str, Any]) -> None:
    """Pictures of fewer persons at once, in place."""
    for _, node in dicts(config["train_dataloader"]):
        if "num_ids" in node:
            node["num_ids"] = min(node["num_ids"], PERSONS)


def _samples(node: dict[str, Any]) -> None:
    if "Sampler" in str(node.get("type")) and node.get("num", 0) > 32:
        node["num"] = 32
    if node.get("num_points", 0) > 1000:
        node["num_points"] = 196
    if "num_grids" in node:
        node["num_grids"] = [max(number // GRIDS, 2) for number in node["num_grids"]]
    if node.get("type") == "FeatureRelayHead":  # gets what comes out of SCNet's box head
        node["in_channels"] = min(node["in_channels"], FEW["fc_out_channels"])


def _depths(node: dict[str, Any]) -> None:
    if node.get("type") in RESNETS and node.get("depth", 0) > 50:
        node["depth"] = 50
    for key in ("depths", "num_layers", "num_blocks", "stage_blocks"):
        if isinstance(node.get(key), list | tuple):
            node[key] = type(node[key])(min(number, 2 if key == "depths" else 1) for number in node[key])
    if node.get("type") == "DyHead":
        node["num_blocks"] = min(node.get("num_blocks", 6), 2)
    if node.get("type") == "ATSSVLFusionHead":
        node["num_dyhead_blocks"] = 2


def _many_classes(model: dict[str, Any]) -> bool:
    return any(isinstance(n.get("num_classes"), int) and n["num_classes"] > 100 for _, n in dicts(model))


def smaller_images(config: dict[str, Any], factor: float) -> None:
    """Images of a fraction of their size, but of 64 pixels at least, in place; wherever they may be of any size."""
    if "SSD" in str(config["model"].get("backbone")) or "SSDAnchorGenerator" in str(config["model"]):
        return  # an SSD fits one size
    step = 2 * STEP if _goes_down_to_64(config["model"].get("neck")) else STEP
    for part in ("model", "train_dataloader", "val_dataloader", "test_dataloader", "custom_hooks"):
        for path, node in dicts(config.get(part)):
            if "test_cfg" in path or "anchor_generator" in path:
                continue
            for key in IMAGE_KEYS:
                if key in node:
                    node[key] = smaller(node[key], factor, step)
            if node.get("type") == "GlobalAveragePooling" and "kernel_size" in node:  # all of what comes down to it
                node["kernel_size"] = tuple(smaller(side * STEP, factor) // STEP for side in node["kernel_size"])
            if "border" in node and isinstance(node["border"], list | tuple):  # half of a mosaic's size
                node["border"] = type(node["border"])(-smaller(-2 * side, factor, step) // 2 for side in node["border"])


def _goes_down_to_64(neck: Any) -> bool:
    """Whether this is RTMDet's neck with a fourth level, which must fit when it is made twice as large again."""
    return isinstance(neck, dict) and neck.get("type") == "CSPNeXtPAFPN" and len(neck["in_channels"]) > 3


def smaller(value: Any, factor: float, step: int = STEP) -> Any:
    """A size, or sizes, of images: multiples of `step`."""
    if isinstance(value, list | tuple):
        return type(value)(smaller(item, factor, step) for item in value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 200:
        return value
    if value % 128 == 127:  # CornerNet wants an odd size
        return 127
    return max(round(value / factor / step) * step, SMALLEST)
