"""Sections of a config that have no `type`: which keys mmengine and mmdet read there."""

from __future__ import annotations

from typing import Any

from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, LogProcessor, Runner, TestLoop, ValLoop
from torch.utils.data import DataLoader

from model_def.compose.components import Component, component, with_names
from model_def.compose.tree import Path


def names(text: str) -> list[str]:
    """The words of `text`."""
    return text.split()


RUNNER = names(
    "model work_dir train_dataloader val_dataloader test_dataloader train_cfg val_cfg test_cfg auto_scale_lr "
    "optim_wrapper param_scheduler val_evaluator test_evaluator default_hooks custom_hooks data_preprocessor "
    "load_from resume launcher env_cfg log_processor log_level visualizer default_scope randomness "
    "experiment_name compile model_wrapper_cfg find_unused_parameters custom_imports tta_model tta_pipeline"
)

# Not read while training: what these name may need a package that only a test needs.
TESTED = names("test_dataloader test_evaluator test_cfg tta_model tta_pipeline")

LOADER = names("dataset sampler batch_sampler num_batch_per_epoch disable_subprocess_warning collate_fn worker_init_fn")

HOOKS = names("runtime_info timer sampler_seed logger param_scheduler checkpoint visualization")

PARAMWISE = names(
    "custom_keys base_lr base_wd bias_lr_mult bias_decay_mult norm_decay_mult dwconv_decay_mult "
    "flat_decay_mult dcn_offset_lr_mult bypass_duplicate num_layers decay_rate decay_type layer_decay_rate"
)

# Keys of a section by its own name, wherever it stands.
BY_NAME: dict[str, list[str]] = {
    "default_hooks": HOOKS,
    "paramwise_cfg": PARAMWISE,
    "auto_scale_lr": ["enable", "base_batch_size"],
    "env_cfg": ["cudnn_benchmark", "mp_cfg", "dist_cfg", "resource_limit"],
    "mp_cfg": ["mp_start_method", "opencv_num_threads"],
    "dist_cfg": ["backend", "timeout", "init_backend"],
    "randomness": ["seed", "diff_rank_seed", "deterministic"],
    "clip_grad": ["type", "max_norm", "norm_type", "error_if_nonfinite", "foreach", "clip_value"],
    "metainfo": names("classes palette dataset_type task_name base_classes novel_classes thing_classes stuff_classes"),
    "filter_cfg": ["filter_empty_gt", "min_size", "bbox_min_size"],
    "data_prefix": ["img", "seg", "img_path", "ann", "anno", "sub_data_root"],
    "nms": names(
        "type iou_threshold class_agnostic split_thr max_num offset score_threshold method sigma min_score "
        "kernel_size iou_thr update_score"
    ),
    "custom_imports": ["imports", "allow_failed_imports"],
}

# The class of a section that may leave its `type` out.
IMPLIED: dict[Path, Any] = {
    ("optim_wrapper",): OptimWrapper,
    ("log_processor",): LogProcessor,
    ("val_cfg",): ValLoop,
    ("test_cfg",): TestLoop,
}

# What someone means who writes a name that nothing reads once the config is assembled.
MEANT: dict[str, str] = {
    "train_pipeline": "train_dataloader.dataset.pipeline",
    "test_pipeline": "val_dataloader.dataset.pipeline",
    "val_pipeline": "val_dataloader.dataset.pipeline",
    "data_root": "train_dataloader.dataset.data_root",
    "dataset_type": "train_dataloader.dataset.type",
    "classes": "hyperparameters.dataset.classes",
    "metainfo": "train_dataloader.dataset.metainfo",
    "batch_size": "global_batch_size",
    "num_workers": "train_dataloader.num_workers",
    "optimizer": "optim_wrapper.optimizer",
    "base_lr": "optim_wrapper.optimizer.lr",
    "max_epochs": "train_cfg.max_epochs",
    "max_iters": "train_cfg.max_iters",
    "max_iter": "train_cfg.max_iters",
    "interval": "train_cfg.val_interval",
    "evaluation": "train_cfg.val_interval",
    "lr_config": "param_scheduler",
    "fp16": "optim_wrapper.type=AmpOptimWrapper",
}


def section(path: Path) -> Component | None:
    """The keys that may stand in a section without a `type`; None for a section that only its own code knows."""
    if not path:
        return with_names(component(Runner), RUNNER)
    name = str(path[-1])
    if len(path) == 1 and name.endswith("_dataloader"):
        return with_names(component(DataLoader), LOADER)
    if path in IMPLIED:
        return component(IMPLIED[path])
    if path == ("train_cfg",):
        epochs = component(EpochBasedTrainLoop)
        return with_names(component(IterBasedTrainLoop), ["by_epoch", *(epochs.arguments if epochs else ())])
    return with_names(None, BY_NAME[name]) if name in BY_NAME else None
