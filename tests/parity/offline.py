"""A config that needs neither the network nor a GPU, and that learns from random weights without diverging."""

from __future__ import annotations

from typing import Any

from model_def.compose.tree import dicts
from tests.parity import zoo

# Times a smaller learning rate: the config's own is for pretrained weights and a long warm-up.
SLOWER, CALM = 1e2, 1e4
# Backbones with layers whose memory nobody fills, as pretrained weights are expected.
UNINITIALISED = {"TridentResNet": {"type": "Kaiming", "layer": ["Conv2d", "TridentConv"]}}


def offline(config: dict[str, Any], *, calm: bool) -> None:
    """Change `config` in place: no weights from elsewhere, a small learning rate, nothing that only GPUs can do.

    (These are mmengine's mixed precision and mmcv's own SyncBN.) `calm` is for what diverges even so: batch norm then
    really normalises, where the config leaves that to the statistics of its pretrained weights (`norm_eval`).
    """
    for _, node in dicts(config["model"]):
        if calm and "norm_eval" in node:
            node["norm_eval"] = False
        init = node.get("init_cfg")
        if isinstance(init, dict) and "checkpoint" in init:
            node["init_cfg"] = UNINITIALISED.get(str(node.get("type")))
        if node.get("type") == "MMSyncBN":  # mmcv's own is for GPUs alone
            node["type"] = "SyncBN"
        for key in ("pretrained", "teacher_ckpt"):
            if key in node:
                node[key] = False if isinstance(node[key], bool) else None
        if str(node.get("teacher_config", "")).startswith("configs/"):  # relative to mmdet's own checkout
            node["teacher_config"] = str(zoo.ROOT / node["teacher_config"].removeprefix("configs/"))
    _boxes_inside(config["model"])
    config["load_from"] = None
    _full_precision(config)
    _slow_down(config["optim_wrapper"], config.get("param_scheduler"), CALM if calm else SLOWER)


def _boxes_inside(model: dict[str, Any]) -> None:
    """Random weights put QueryInst's boxes beside the image, where mmdet can't paste a mask on a CPU."""
    nodes = [node for _, node in dicts(model)]
    if any(node.get("type") == "DynamicMaskHead" for node in nodes):
        for node in nodes:
            node.update({"clip_border": True} if "clip_border" in node else {})


def _full_precision(config: dict[str, Any]) -> None:
    wrapper = config["optim_wrapper"]
    if wrapper.get("type") == "AmpOptimWrapper":
        wrapper["type"] = "OptimWrapper"
        for key in ("dtype", "loss_scale", "use_fsdp"):
            wrapper.pop(key, None)
    for loop in ("val_cfg", "test_cfg"):
        if (config.get(loop) or {}).get("fp16"):
            config[loop]["fp16"] = False


def _slow_down(wrapper: dict[str, Any], schedulers: Any, factor: float) -> None:
    for _, node in dicts({"optim_wrapper": wrapper, "param_scheduler": schedulers}):
        for key in ("lr", "eta_min"):
            if isinstance(node.get(key), float):
                node[key] /= factor
