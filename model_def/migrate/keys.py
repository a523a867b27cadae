"""mmdet 2.x's keys that have one counterpart today, and those that have none: the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from model_def.migrate.hooks import best, custom_hooks, kept, loggers, ranking
from model_def.migrate.meaning import Around, Meaning, left_out, moved, refused
from model_def.migrate.precision import loss_scale, no_clipping, optimizer_hook, precision

Converter = Callable[[str, Any, Around], Meaning | None]

# The longest key that a written key begins with decides; what follows it stays.
MOVED = {
    "optimizer": "optim_wrapper.optimizer",
    "optimizer.paramwise_cfg": "optim_wrapper.paramwise_cfg",
    "optimizer.constructor": "optim_wrapper.constructor",
    "optimizer_config.grad_clip": "optim_wrapper.clip_grad",
    "optimizer_config.cumulative_iters": "optim_wrapper.accumulative_counts",
    "evaluation.interval": "train_cfg.val_interval",
    "evaluation.start": "train_cfg.val_begin",
    "evaluation.dynamic_intervals": "train_cfg.dynamic_intervals",
    "checkpoint_config.interval": "default_hooks.checkpoint.interval",
    "checkpoint_config.by_epoch": "default_hooks.checkpoint.by_epoch",
    "log_config.interval": "default_hooks.logger.interval",
    "dist_params": "env_cfg.dist_cfg",
    "cudnn_benchmark": "env_cfg.cudnn_benchmark",
    "mp_start_method": "env_cfg.mp_cfg.mp_start_method",
    "opencv_num_threads": "env_cfg.mp_cfg.opencv_num_threads",
    "deterministic": "randomness.deterministic",
    "diff_seed": "randomness.diff_rank_seed",
    "train_cfg.rpn": "model.train_cfg.rpn",
    "train_cfg.rpn_proposal": "model.train_cfg.rpn_proposal",
    "train_cfg.rcnn": "model.train_cfg.rcnn",
    "test_cfg.rpn": "model.test_cfg.rpn",
    "test_cfg.rcnn": "model.test_cfg.rcnn",
}

# Keys of `evaluation` that an evaluator takes.
EVALUATOR = {
    "evaluation.metric": "metric",
    "evaluation.classwise": "classwise",
    "evaluation.proposal_nums": "proposal_nums",
    "evaluation.iou_thr": "iou_thrs",
    "evaluation.iou_thrs": "iou_thrs",
    "evaluation.metric_items": "metric_items",
    "evaluation.jsonfile_prefix": "outfile_prefix",
    "evaluation.outfile_prefix": "outfile_prefix",
}

_GATHERED = "results are gathered through the process group"
_ALL_STATE = "checkpoints always hold the whole state"
LEFT_OUT = {
    "evaluation.tmpdir": _GATHERED,
    "evaluation.gpu_collect": _GATHERED,
    "evaluation.by_epoch": "the training loop's own unit counts",
    "evaluation.out_dir": "Determined stores the checkpoints",
    "checkpoint_config.save_optimizer": _ALL_STATE,
    "checkpoint_config.save_last": "the last state is always saved",
    "checkpoint_config.create_symlink": "Determined stores the checkpoints",
    "checkpoint_config.meta": "every checkpoint says what it holds",
    "optimizer_config.coalesce": "torch's DistributedDataParallel reduces the gradients",
    "optimizer_config.bucket_size_mb": "torch's DistributedDataParallel reduces the gradients",
}

_SLOTS = "resources: {slots_per_trial: N}"
_MEANS = "model.data_preprocessor.mean: […]"
REFUSED = {
    "gpu_ids": ("Determined, or torchrun, chooses the GPUs", _SLOTS),
    "gpus": ("Determined, or torchrun, chooses the GPUs", _SLOTS),
    "img_norm_cfg": ("the model normalises images now", f"{_MEANS}, …std: […], …bgr_to_rgb: true"),
    "momentum_config": ("momenta have schedulers of their own", "param_scheduler: [{type: StepMomentum, …}]"),
    "evaluation.pipeline": ("the validation set has the pipeline", "val_dataloader.dataset.pipeline: […]"),
    "checkpoint_config.out_dir": ("Determined stores the checkpoints", "checkpoint_storage: {…}, or --output DIR"),
}


def resumed(old: str, value: Any, around: Around) -> Meaning:
    """`resume_from`, `auto_resume`."""
    if not value:
        return left_out(old, "nothing is resumed")
    path = value if isinstance(value, str) else ""
    return refused(old, "a config can't ask to be resumed", f"--resume {path}".strip() + " (on the command line)")


def workflow(old: str, value: Any, around: Around) -> Meaning:
    """`workflow: [[train, 1]]` is what happens anyway."""
    if isinstance(value, list) and all(isinstance(step, list) and step[:1] == ["train"] for step in value):
        return left_out(old, "training and validation alternate as `train_cfg.val_interval` says")
    return refused(old, "the loss of the validation set is not computed", "train_cfg.val_interval: 1, for its metrics")


def seed(old: str, value: Any, around: Around) -> Meaning:
    """`seed`."""
    if value in (None, around.seed):
        return left_out(old, "`reproducibility.experiment_seed` decides")
    why = "the experiment decides, so that data order and augmentations agree with it"
    return refused(old, why, f"reproducibility: {{experiment_seed: {value}}}")


def pretrained(old: str, value: Any, around: Around) -> Meaning:
    """`model.pretrained`: the backbone's weights."""
    place = "model.backbone.init_cfg"
    if not value:
        return Meaning(old=old, new={place: None})
    kind = {f"{place}._delete_": True, f"{place}.type": "Pretrained"}
    return Meaning(old=old, new={**kind, f"{place}.checkpoint": value})


def evaluated(old: str, value: Any, around: Around) -> Meaning:
    """An option of the evaluator; those that judge panoptic segmentation take none of them."""
    evaluator = around.config.get("val_evaluator") or {}
    entries = {"val_evaluator": evaluator}
    if isinstance(evaluator, list | tuple):
        entries = {f"val_evaluator.{index}": entry for index, entry in enumerate(evaluator)}
    found = [place for place, entry in entries.items() if "metric" in entry]
    if found:
        return moved(old, *(f"{place}.{EVALUATOR[old]}" for place in found), value=value)
    if old == "evaluation.metric":
        return left_out(old, "this config's evaluators measure one thing only")
    return refused(old, "this config's evaluators have no such option", "val_evaluator: {type: …}")


SPECIAL: dict[str, Converter] = {
    **dict.fromkeys(EVALUATOR, evaluated),
    "evaluation.save_best": best,
    "evaluation.rule": ranking,
    "checkpoint_config.max_keep_ckpts": kept,
    "log_config.hooks": loggers,
    "custom_hooks": custom_hooks,
    "optimizer_config._delete_": no_clipping,
    "optimizer_config.type": optimizer_hook,
    "optimizer_config.loss_scale": loss_scale,
    "fp16.loss_scale": loss_scale,
    "fp16": precision,
    "workflow": workflow,
    "resume_from": resumed,
    "auto_resume": resumed,
    "seed": seed,
    "model.pretrained": pretrained,
}


def meaning(old: str, value: Any, around: Around) -> Meaning | None:
    """What one key means today; None if mmdet 2.x had no such key, so that it stays as it is."""
    if old in SPECIAL:
        return SPECIAL[old](old, value, around)
    if old in LEFT_OUT:
        return left_out(old, LEFT_OUT[old])
    parts = old.split(".")
    for length in range(len(parts), 0, -1):
        head, tail = ".".join(parts[:length]), parts[length:]
        if head in REFUSED:
            return refused(old, *REFUSED[head])
        if head in MOVED:
            return moved(old, ".".join([MOVED[head], *tail]), value=value)
    return None
