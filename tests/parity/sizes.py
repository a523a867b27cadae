"""Smaller sizes of images, layers and lists of candidates. What a config is made of stays as it is."""

from __future__ import annotations

from typing import Any

from model_def.compose.tree import dicts

SMALLEST, STEP = 64, 32
IMAGE_KEYS = ("scale", "img_scale", "crop_size", "size", "random_size_range", "scales")
BASE_CHANNELS, FOR_GROUP_NORM = 8, 32
RESNETS = ("ResNet", "ResNeXt", "Res2Net", "ResNeSt", "TridentResNet")
RESNET_CHANNELS = (256, 512, 1024, 2048)

# FPNs and what follows them have this many channels nearly everywhere: a quarter of it, all at once, still fits.
USUAL, NARROW = 256, 64
HALVES = ("num_feats",)  # of a positional encoding: for x and for y

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

SURE = {"init_track_thr", "init_score_thr", "obj_score_thr"}


def fewer(config: dict[str, Any]) -> None:
    """Smaller layers and shorter lists, in place."""
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
        if isinstance(node.get("backbone"), dict) and node.get("neck"):
            _thin_resnet(node)


def fewer_repeats(config: dict[str, Any]) -> None:
    """A RepeatDataset repeats half of the made images twice, in place."""
    for _, node in dicts(config["train_dataloader"]):
        if "times" in node:
            node["times"] = min(node["times"], 2)
            if "ann_file" in node["dataset"]:
                node["dataset"]["indices"] = 4


def narrower(config: dict[str, Any]) -> None:
    """Fewer channels behind the backbone, in place."""
    if "decoder" in config["model"] and isinstance(config["model"].get("bbox_head"), dict):
        config["model"]["bbox_head"].setdefault("embed_dims", USUAL)  # the default of mmdet's DETR heads
    for path, node in dicts(config["model"]):
        if node.get("type") == "HourglassNet":  # ends with its feat_channel, 256 if nobody says otherwise
            node["stage_channels"] = [number * NARROW // USUAL for number in node["stage_channels"]]
            node["feat_channel"] = NARROW
        for key, value in node.items():
            if "backbone" in path and key != "rfp_inplanes":
                continue
            if key in HALVES and value == USUAL // 2:
                node[key] = NARROW // 2
            elif _is_channels(key) and value == USUAL:
                node[key] = NARROW
            elif _is_channels(key) and isinstance(value, list | tuple) and set(value) == {USUAL}:
                node[key] = type(value)([NARROW] * len(value))


def _is_channels(key: str) -> bool:
    return any(word in key for word in ("channel", "embed_dims", "rfp_inplanes", "conv_dim"))


def _samples(node: dict[str, Any]) -> None:
    if "Sampler" in str(node.get("type")) and node.get("num", 0) > 32:
        node["num"] = 32
    if node.get("num_points", 0) > 1000:
        node["num_points"] = 196


def _depths(node: dict[str, Any]) -> None:
    if node.get("type") in RESNETS and node.get("depth", 0) > 50:
        node["depth"] = 50
    for key in ("depths", "num_layers", "num_blocks", "stage_blocks"):
        if isinstance(node.get(key), list | tuple):
            node[key] = type(node[key])(min(number, 2 if key == "depths" else 1) for number in node[key])
    if node.get("type") == "DyHead":
        node["num_blocks"] = min(node.get("num_blocks", 6), 2)


def _thin_resnet(node: dict[str, Any]) -> None:
    """An eighth of the channels, where the neck says what it gets."""
    backbone = node["backbone"]
    neck = node["neck"][0] if isinstance(node["neck"], list | tuple) else node["neck"]
    channels = neck.get("in_channels")
    if backbone.get("type") not in RESNETS or backbone.get("depth", 0) < 50 or "base_channels" in backbone:
        return
    if not isinstance(channels, list | tuple) or any(number not in RESNET_CHANNELS for number in channels):
        return
    base = FOR_GROUP_NORM if (backbone.get("norm_cfg") or {}).get("type") == "GN" else BASE_CHANNELS
    backbone["base_channels"] = base
    neck["in_channels"] = type(channels)(number * base // 64 for number in channels)
    if backbone.get("groups", 1) > 8:
        backbone["groups"] = 8


def _many_classes(model: dict[str, Any]) -> bool:
    return any(isinstance(n.get("num_classes"), int) and n["num_classes"] > 100 for _, n in dicts(model))


def smaller_images(config: dict[str, Any], factor: float) -> None:
    """Images of a fraction of their size, but of 64 pixels at least, in place; wherever they may be of any size."""
    if "SSD" in str(config["model"].get("backbone")) or "SSDAnchorGenerator" in str(config["model"]):
        return  # an SSD fits one size
    for part in ("model", "train_dataloader", "val_dataloader", "test_dataloader", "custom_hooks"):
        for path, node in dicts(config.get(part)):
            if "test_cfg" in path or "anchor_generator" in path:
                continue
            for key in IMAGE_KEYS:
                if key in node:
                    node[key] = smaller(node[key], factor)
            if "border" in node and isinstance(node["border"], list | tuple):  # half of a mosaic's size
                node["border"] = type(node["border"])(-smaller(-2 * side, factor) // 2 for side in node["border"])


def smaller(value: Any, factor: float) -> Any:
    """A size, or sizes, of images: multiples of 32."""
    if isinstance(value, list | tuple):
        return type(value)(smaller(item, factor) for item in value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 200:
        return value
    if value % 128 == 127:  # CornerNet wants an odd size
        return 127
    return max(round(value / factor / STEP) * STEP, SMALLEST)
