"""Overrides that make an experiment small enough for a CPU and independent of the network.

Only sizes change: images, the backbone's depth, its weights from the network. What the experiment is made of stays.
"""

from __future__ import annotations

from typing import Any

from model_def.compose.tree import dicts, dotted

SMALLEST, FACTOR, STEP = 64, 6, 32
FEW_QUERIES = 30


def shrink(config: dict[str, Any]) -> dict[str, Any]:
    """Dotted `override_mmdet_config` keys for a composed config."""
    found: dict[str, Any] = {}
    for path, node in dicts(config):
        if not path or path[0] not in (
            "model",
            "train_dataloader",
            "val_dataloader",
            "test_dataloader",
            "custom_hooks",
        ):
            continue
        found |= {dotted((*path, key)): value for key, value in _smaller(node).items()}
    for name in ("train", "val", "test"):
        found[f"{name}_dataloader.num_workers"] = 0
        found[f"{name}_dataloader.persistent_workers"] = False
    return found


def _smaller(node: dict[str, Any]) -> dict[str, Any]:
    changed = {}
    if (node.get("init_cfg") or {}).get("type") == "Pretrained":
        changed["init_cfg"] = None
    if node.get("num_queries", 0) > FEW_QUERIES:  # a small image has not so many places to look at
        changed["num_queries"] = FEW_QUERIES
    for key in ("scale", "img_scale", "crop_size", "size", "border", "random_size_range", "scales"):
        if key in node and _smaller_size(node[key]) != node[key]:
            changed[key] = _as_yaml(_smaller_size(node[key]))
    return changed


def _smaller_size(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_smaller_size(item) for item in value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 200:
        size = max(round(abs(value) / FACTOR / STEP) * STEP, SMALLEST)
        return size if value > 0 else -size
    return value


def _as_yaml(value: Any) -> Any:
    return [_as_yaml(item) for item in value] if isinstance(value, (list, tuple)) else value
