"""mmdet 2.x's optimizer hooks: mixed precision, accumulation, and what clips gradients."""

from __future__ import annotations

from typing import Any

from model_def.migrate.meaning import Around, Meaning, left_out, refused

DEFAULT = 512.0  # mmcv's loss scale where none is given
AMP = {"optim_wrapper.type": "AmpOptimWrapper"}
AMP_HOOKS = ("Fp16OptimizerHook", "GradientCumulativeFp16OptimizerHook")
PLAIN_HOOKS = ("OptimizerHook", "GradientCumulativeOptimizerHook", "DistOptimizerHook")


def loss_scale(old: str, value: Any, around: Around) -> Meaning:
    """A number that stays as it is, 'dynamic', or the arguments of torch's GradScaler."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = float(value)  # mmengine takes no integer
    return Meaning(old=old, new={**AMP, "optim_wrapper.loss_scale": value})


def precision(old: str, value: Any, around: Around) -> Meaning:
    """The whole of `fp16`: null turns it off, an empty mapping has mmcv's default scale."""
    if value is None:
        return Meaning(old=old, new={"optim_wrapper.type": "OptimWrapper"})
    return Meaning(old=old, new={**AMP, "optim_wrapper.loss_scale": DEFAULT})


def optimizer_hook(old: str, value: Any, around: Around) -> Meaning:
    """The class of the hook."""
    if value in AMP_HOOKS:
        scale = around.old.get("optimizer_config.loss_scale", DEFAULT)
        return Meaning(old=old, new=loss_scale(old, scale, around).new)
    if value in PLAIN_HOOKS:
        return left_out(old, "mmengine's OptimWrapper clips and accumulates")
    return refused(old, f"there is no hook {value} any more", "optim_wrapper.type: OptimWrapper or AmpOptimWrapper")


def no_clipping(old: str, value: Any, around: Around) -> Meaning:
    """`_delete_` of the whole: it forgets the config's clipping, and was needed since mmcv can't fill a None."""
    clips = (around.config.get("optim_wrapper") or {}).get("clip_grad")
    if value and clips and "optimizer_config.grad_clip" not in around.old:
        return Meaning(old=old, new={"optim_wrapper.clip_grad._delete_": True})
    return left_out(old, "there is nothing to forget")
