"""Thinner layers. What a config is made of stays as it is."""

from __future__ import annotations

from typing import Any

from model_def.compose.tree import dicts

BASE_CHANNELS, FOR_GROUP_NORM = 8, 32
RESNETS = ("ResNet", "ResNeXt", "Res2Net", "ResNeSt", "TridentResNet", "DetectoRS_ResNet", "DetectoRS_ResNeXt")
RESNET_CHANNELS = (256, 512, 1024, 2048)
THIN_SWIN = 4  # times fewer; each head of its attention is 32 wide

# FPNs and what follows them have this many channels nearly everywhere: a quarter of it, all at once, still fits.
USUAL, NARROW = 256, 64
HALVES = ("num_feats",)  # of a positional encoding: for x and for y
QUARTERS = ("aspp_out_channels",)  # of four branches that are put side by side
WITH_LANGUAGE = ("GLIP", "GroundingDINO")  # their layers that fuse pictures and words have the usual width inside


def narrower(model: dict[str, Any]) -> None:
    """Fewer channels behind the backbone, in place."""
    if model.get("type") in WITH_LANGUAGE:
        return
    if "decoder" in model and isinstance(model.get("bbox_head"), dict):
        model["bbox_head"].setdefault("embed_dims", USUAL)  # the default of mmdet's DETR heads
    for path, node in dicts(model):
        if node.get("type") == "HourglassNet":  # ends with its feat_channel, 256 if nobody says otherwise
            node["stage_channels"] = [number * NARROW // USUAL for number in node["stage_channels"]]
            node["feat_channel"] = NARROW
        for key, value in node.items():
            if "backbone" not in path or key == "rfp_inplanes":
                node[key] = _narrow(key, value)


def _narrow(key: str, value: Any) -> Any:
    """The value of `key`, less wide where it is the usual width."""
    for keys, parts in ((HALVES, 2), (QUARTERS, 4)):
        if key in keys and value == USUAL // parts:
            return NARROW // parts
    if not any(word in key for word in ("channel", "embed_dims", "rfp_inplanes", "conv_dim")):
        return value
    if isinstance(value, list | tuple) and set(value) == {USUAL}:
        return type(value)([NARROW] * len(value))
    return NARROW if value == USUAL else value


def thin_backbone(node: dict[str, Any]) -> None:
    """Fewer channels in the backbone of `node`, in place, where the neck says what it gets."""
    backbone = node["backbone"]
    neck = node["neck"][0] if isinstance(node["neck"], list | tuple) else node["neck"]
    channels = neck.get("in_channels")
    if not isinstance(channels, list | tuple):
        return
    if backbone.get("type") == "SwinTransformer" and all(n % backbone["embed_dims"] == 0 for n in channels):
        backbone["embed_dims"] //= THIN_SWIN
        neck["in_channels"] = type(channels)(number // THIN_SWIN for number in channels)
    elif backbone.get("type") in RESNETS and set(channels) <= {*RESNET_CHANNELS}:
        _thin_resnet(backbone, neck)


def _thin_resnet(backbone: dict[str, Any], neck: dict[str, Any]) -> None:
    """An eighth of the channels; a recursive feature pyramid has more backbones."""
    if backbone.get("depth", 0) < 50 or "base_channels" in backbone:
        return
    base = FOR_GROUP_NORM if (backbone.get("norm_cfg") or {}).get("type") == "GN" else BASE_CHANNELS
    neck["in_channels"] = type(neck["in_channels"])(number * base // 64 for number in neck["in_channels"])
    for each in (backbone, neck.get("rfp_backbone") or {}):
        each["base_channels"] = base
        if each.get("groups", 1) > 8:
            each["groups"] = 8
