"""One transform of an mmdet 2.x pipeline, as today's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Transform = dict[str, Any]

# Arguments with another name.
NAMES = {
    "RandomFlip": {"flip_ratio": "prob"},
    "RandomShift": {"shift_ratio": "prob"},
    "Resize": {"bbox_clip_border": "clip_object_border"},
}
# Pairs that were (height, width) and are (width, height).
SWAPPED = {
    "Mosaic": "img_scale",
    "MixUp": "img_scale",
    "Pad": "size",
    "RandomAffine": "border",
    "RandomCenterCropPad": "crop_size",
    "RandomCrop": "crop_size",
}
_FILTER = {"skip_filter": True, "min_bbox_size": ..., "min_area_ratio": ..., "max_aspect_ratio": ...}
# Arguments that are gone, and the value with which nothing is lost (`...`: any).
GONE: dict[str, dict[str, Any]] = {
    "Albu": {"update_pad_shape": False},
    "LoadAnnotations": {"denorm_bbox": ..., "normed_bbox": ...},  # the data set knows what its boxes are
    "MixUp": _FILTER,
    "Mosaic": _FILTER,
    "RandomAffine": _FILTER,
    "Resize": {"override": ...},
}
LABELS = {"gt_labels": ["gt_bboxes_labels", "gt_ignore_flags"]}


class Untranslatable(Exception):
    """A transform has no counterpart; the argument is why, and `instead` is what to write."""

    def __init__(self, why: str, instead: str) -> None:
        super().__init__(why)
        self.instead = instead


def transform(old: Mapping[str, Any]) -> Transform:
    """Today's form; a type that mmdet 2.x wrote as today stays as it is.

    Raises:
        Untranslatable: an argument asks for something that is gone.
    """
    kind = str(old.get("type"))
    new = {NAMES.get(kind, {}).get(key, key): value for key, value in _kept(kind, old).items()}
    if "file_client_args" in new:
        new["backend_args"] = _backend(new.pop("file_client_args"))
    pair = SWAPPED.get(kind, "")
    if isinstance(new.get(pair), list | tuple) and not str(new.get("crop_type")).endswith("_range"):
        new[pair] = new[pair][::-1]
    special = _SPECIAL.get(kind)
    return special(new) if special else new


def _kept(kind: str, old: Mapping[str, Any]) -> Transform:
    gone = GONE.get(kind, {})
    for name, harmless in gone.items():
        if name in old and harmless is not ... and old[name] != harmless:
            raise Untranslatable(f"{kind} has no `{name}` any more", f"{{type: {kind}, …}} without `{name}`")
    return {key: value for key, value in old.items() if key not in gone}


def _backend(client: Any) -> Any:
    disk = not client or client == {"backend": "disk"}
    return None if disk else client


def _resize(new: Transform) -> Transform:
    scales, mode = new.pop("img_scale", None), new.pop("multiscale_mode", "range")
    ratios, rest = new.pop("ratio_range", None), {**new, "keep_ratio": new.get("keep_ratio", True)}
    many = isinstance(scales, list) and bool(scales) and all(isinstance(scale, list | tuple) for scale in scales)
    if many and len(scales) == 1:
        scales, many = scales[0], False
    if many and mode == "value":
        return {**rest, "type": "RandomChoiceResize", "scales": scales}
    if many:
        return {**rest, "type": "RandomResize", "scale": [sorted(scale, reverse=True) for scale in scales]}
    if ratios:
        return {**rest, "type": "RandomResize", "scale": scales, "ratio_range": ratios}
    return {**rest, "scale": scales} if scales else rest


def _policies(new: Transform) -> Transform:
    return {**new, "policies": [[transform(step) for step in policy] for policy in new.get("policies", [])]}


def _albu(new: Transform) -> Transform:
    boxes = dict(new.get("bbox_params") or {})
    if "label_fields" in boxes:
        boxes["label_fields"] = [name for old in boxes["label_fields"] for name in LABELS.get(old, [old])]
    return {**new, "bbox_params": boxes} if boxes else new


_SPECIAL: dict[str, Callable[[Transform], Transform]] = {
    "Resize": _resize,
    "AutoAugment": _policies,
    "Albu": _albu,
}
