"""A whole pipeline of mmdet 2.x: what the model does itself now goes to its `data_preprocessor`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model_def.migrate.transforms import Transform, Untranslatable, transform

FORMATTING = ("DefaultFormatBundle", "ImageToTensor", "ToTensor", "ToDataContainer", "WrapFieldsToLists")
SEGMENTS = "SegRescale"  # the heads scale what they compare with
# Only these are signs of mmdet 2.x; without any of them a pipeline is today's.
OLD = (*FORMATTING, "Collect", "Normalize", "MultiScaleFlipAug")
OLD_ARGUMENTS = {"Resize": "img_scale", "RandomFlip": "flip_ratio", "RandomShift": "shift_ratio"}
META = {"filename": "img_path", "ori_filename": "img_path"}
NO_META = ("pad_shape", "img_norm_cfg")
PACK = "PackDetInputs"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A translated pipeline.

    Attributes:
        steps: today's transforms.
        preprocessor: keys of the model's `data_preprocessor`.
    """

    steps: list[Transform]
    preprocessor: dict[str, Any]


def is_old(steps: Any) -> bool:
    """Whether a pipeline is written for mmdet 2.x."""
    return isinstance(steps, list) and any(
        step.get("type") in OLD or OLD_ARGUMENTS.get(str(step.get("type"))) in step or "file_client_args" in step
        for step in steps
        if isinstance(step, dict)
    )


def pipeline(old: Sequence[Mapping[str, Any]], own: Sequence[Mapping[str, Any]]) -> Pipeline:
    """`old` as today's, where the config has `own`: it says how validation loads its annotations.

    Raises:
        Untranslatable: a transform asks for something that is gone.
    """
    preprocessor: dict[str, Any] = {}
    steps = list(_steps(old, preprocessor))
    if all(step.get("type") != SEGMENTS for step in own):
        steps = [step for step in steps if step.get("type") != SEGMENTS]
    if any(step.get("type") == "MultiScaleFlipAug" for step in old):
        steps = _evaluated(steps, own)
    packs = [dict(step) for step in own if step.get("type") == PACK]
    return Pipeline(
        steps=[packs[0] if packs and step == {"type": PACK} else step for step in steps], preprocessor=preprocessor
    )


def _steps(old: Sequence[Mapping[str, Any]], preprocessor: dict[str, Any]) -> Iterator[Transform]:
    for step in old:
        kind = step.get("type")
        if kind == "MultiScaleFlipAug":
            yield from _steps(list(_single_scale(step)), preprocessor)
        elif kind == "Normalize":
            given = {"mean": step.get("mean"), "std": step.get("std"), "bgr_to_rgb": step.get("to_rgb", True)}
            preprocessor.update(given)
        elif kind == "Pad" and "size_divisor" in step:
            preprocessor["pad_size_divisor"] = step["size_divisor"]
            if value := _pad_value(step.get("pad_val")):
                preprocessor["pad_value"] = value
        elif kind == "LoadProposals":
            why = "proposals are loaded and moved with the images inside a ProposalBroadcaster"
            raise Untranslatable(why, "a pipeline like that of fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py")
        elif kind == "Collect":
            yield _pack(step)
        elif kind not in FORMATTING:
            yield transform(step)


def _single_scale(step: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The transforms inside a test-time augmentation that has one scale and doesn't flip."""
    scale = step.get("img_scale")
    if isinstance(scale, list) and scale and isinstance(scale[0], list | tuple):
        scale = scale[0] if len(scale) == 1 else None
    if step.get("flip") or scale is None:
        raise Untranslatable(
            "several scales or flips in a test are `tta_model` and `tta_pipeline` now, which training doesn't use",
            "{type: Resize, scale: [1333, 800], keep_ratio: true}",
        )
    for inner in step.get("transforms") or ():
        if inner.get("type") == "Resize":
            yield {**inner, "img_scale": scale}
        elif inner.get("type") != "RandomFlip":
            yield inner


def _pad_value(given: Any) -> Any:
    return given.get("img", 0) if isinstance(given, dict) else given


def _pack(step: Mapping[str, Any]) -> Transform:
    names = [META.get(name, name) for name in step.get("meta_keys") or () if name not in NO_META]
    return {"type": PACK, **({"meta_keys": list(dict.fromkeys(["img_id", *names]))} if names else {})}


def _evaluated(steps: list[Transform], own: Sequence[Mapping[str, Any]]) -> list[Transform]:
    """Evaluators of mmdet 3 may read the truth from the samples."""
    loads = [dict(step) for step in own if "Annotations" in str(step.get("type"))]
    given = any("Annotations" in str(step.get("type")) for step in steps)
    return steps if given else [*steps[:-1], *loads, *steps[-1:]]
