"""Each key of mmdet 2.x: what it is today, and that today's strict checks accept it; or the line to write instead."""

from __future__ import annotations

import copy
import functools
import pathlib
from typing import Any

import pytest
import yaml

from model_def.compose.load import load_config
from model_def.compose.override import override
from model_def.compose.tree import at
from model_def.errors import ConfigError
from model_def.migrate.keys import LEFT_OUT, MOVED, REFUSED, SPECIAL
from model_def.migrate.meaning import Around
from model_def.migrate.overrides import Translated, translate
from model_def.zoo import zoo

MASK = "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"
YOLO3 = "yolo/yolov3_d53_8xb8-ms-608-273e_coco.py"
PANOPTIC = "panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py"
ITERATIONS = "faster_rcnn/faster-rcnn_r50-caffe_fpn_90k_coco.py"
REPEATED = "mask_rcnn/mask-rcnn_r50_fpn_ms-poly-3x_coco.py"
VOC = "pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py"
YOLOX = "yolox/yolox_s_8xb8-300e_coco.py"
CITYSCAPES = "cityscapes/mask-rcnn_r50_fpn_1x_cityscapes.py"
COSINE = "rtmdet/rtmdet_tiny_8xb32-300e_coco.py"
TRAIN, VAL = "train_dataloader.dataset", "val_dataloader.dataset"
AMP = {"optim_wrapper.type": "AmpOptimWrapper"}
WARM = {"type": "LinearLR", "start_factor": 0.001, "by_epoch": False, "begin": 0, "end": 500}


@functools.cache
def base(name: str) -> dict[str, Any]:
    return load_config(zoo() / name, context=pathlib.Path.cwd(), where="test")


def translated(text: str, config: str = MASK) -> Translated:
    overrides = yaml.safe_load(text)
    before = copy.deepcopy((overrides, base(config)))
    around = Around(config=base(config), old={}, metric="bbox_mAP", smaller_is_better=False, seed=3)
    found = translate(overrides, around)
    assert (overrides, base(config)) == before, "an input was changed"
    return found


def main(**scheduler: Any) -> list[dict[str, Any]]:
    return [WARM, {"by_epoch": True, "begin": 0, "end": 12, **scheduler}]


WORKERS = {"train_dataloader.num_workers": 4, "val_dataloader.num_workers": 4}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "optimizer": ("optimizer.lr: 0.01", {"optim_wrapper.optimizer.lr": 0.01}),
    "optimizer, nested": ("optimizer: {type: AdamW}", {"optim_wrapper.optimizer.type": "AdamW"}),
    "optimizer._delete_": (
        "optimizer: {_delete_: true, type: AdamW, lr: 0.1}",
        {
            "optim_wrapper.optimizer._delete_": True,
            "optim_wrapper.optimizer.type": "AdamW",
            "optim_wrapper.optimizer.lr": 0.1,
        },
    ),
    "optimizer.paramwise_cfg": (
        "optimizer.paramwise_cfg: {norm_decay_mult: 0.0, custom_keys: {a.b: {lr_mult: 0.1}}}",
        {
            "optim_wrapper.paramwise_cfg.norm_decay_mult": 0.0,
            "optim_wrapper.paramwise_cfg.custom_keys": {"a.b": {"lr_mult": 0.1}},
        },
    ),
    "optimizer.constructor": (
        "optimizer.constructor: LearningRateDecayOptimizerConstructor",
        {"optim_wrapper.constructor": "LearningRateDecayOptimizerConstructor"},
    ),
    "optimizer_config.grad_clip": (
        "optimizer_config: {_delete_: true, grad_clip: {max_norm: 35, norm_type: 2}}",
        {"optim_wrapper.clip_grad.max_norm": 35, "optim_wrapper.clip_grad.norm_type": 2},
    ),
    "optimizer_config.grad_clip: null": ("optimizer_config.grad_clip: null", {"optim_wrapper.clip_grad": None}),
    "optimizer_config._delete_": ("optimizer_config._delete_: true", {"optim_wrapper.clip_grad._delete_": True}, YOLO3),
    "optimizer_config.cumulative_iters": (
        "optimizer_config: {type: GradientCumulativeOptimizerHook, cumulative_iters: 4}",
        {"optim_wrapper.accumulative_counts": 4},
    ),
    "optimizer_config.type": ("optimizer_config.type: Fp16OptimizerHook", {**AMP, "optim_wrapper.loss_scale": 512.0}),
    "optimizer_config.loss_scale": (
        "optimizer_config: {type: GradientCumulativeFp16OptimizerHook, loss_scale: dynamic, cumulative_iters: 2}",
        {**AMP, "optim_wrapper.loss_scale": "dynamic", "optim_wrapper.accumulative_counts": 2},
    ),
    "fp16.loss_scale": ("fp16.loss_scale: 512", {**AMP, "optim_wrapper.loss_scale": 512.0}),
    "fp16.loss_scale dynamic": ("fp16: {loss_scale: dynamic}", {**AMP, "optim_wrapper.loss_scale": "dynamic"}),
    "fp16.loss_scale, GradScaler's": (
        "fp16.loss_scale: {init_scale: 65536.0, growth_interval: 2000}",
        {**AMP, "optim_wrapper.loss_scale": {"init_scale": 65536.0, "growth_interval": 2000}},
    ),
    "fp16": ("fp16: {}", {**AMP, "optim_wrapper.loss_scale": 512.0}),
    "fp16: null": ("fp16: null", {"optim_wrapper.type": "OptimWrapper"}),
    "evaluation.interval": ("evaluation.interval: 2", {"train_cfg.val_interval": 2}),
    "evaluation.start": ("evaluation.start: 5", {"train_cfg.val_begin": 5}),
    "evaluation.dynamic_intervals": (
        "evaluation.dynamic_intervals: [[10, 1]]",
        {"train_cfg.dynamic_intervals": [[10, 1]]},
    ),
    "evaluation.metric": ("evaluation.metric: [bbox]", {"val_evaluator.metric": ["bbox"]}),
    "evaluation.metric, one of several": ("evaluation.metric: bbox", {"val_evaluator.0.metric": "bbox"}, CITYSCAPES),
    "evaluation.metric, panoptic": ("evaluation.metric: PQ", {}, PANOPTIC),
    "evaluation.classwise": ("evaluation.classwise: true", {"val_evaluator.classwise": True}),
    "evaluation.proposal_nums": ("evaluation.proposal_nums: [1, 10]", {"val_evaluator.proposal_nums": [1, 10]}),
    "evaluation.iou_thr": ("evaluation.iou_thr: 0.5", {"val_evaluator.iou_thrs": 0.5}),
    "evaluation.iou_thrs": ("evaluation.iou_thrs: [0.5]", {"val_evaluator.iou_thrs": [0.5]}),
    "evaluation.metric_items": ("evaluation.metric_items: [mAP]", {"val_evaluator.metric_items": ["mAP"]}),
    "evaluation.jsonfile_prefix": ("evaluation.jsonfile_prefix: x", {"val_evaluator.outfile_prefix": "x"}),
    "evaluation.outfile_prefix": ("evaluation.outfile_prefix: x", {"val_evaluator.outfile_prefix": "x"}),
    "evaluation.save_best": ("evaluation.save_best: auto", {}),
    "evaluation.save_best, the searcher's": ("evaluation.save_best: bbox_mAP", {}),
    "evaluation.rule": ("evaluation.rule: greater", {}),
    "checkpoint_config.interval": ("checkpoint_config.interval: 2", {"default_hooks.checkpoint.interval": 2}),
    "checkpoint_config.by_epoch": ("checkpoint_config.by_epoch: false", {"default_hooks.checkpoint.by_epoch": False}),
    "log_config.interval": ("log_config.interval: 10", {"default_hooks.logger.interval": 10}),
    "log_config.hooks": ("log_config.hooks: [{type: TextLoggerHook}, {type: TensorboardLoggerHook}]", {}),
    "dist_params": ("dist_params.backend: gloo", {"env_cfg.dist_cfg.backend": "gloo"}),
    "cudnn_benchmark": ("cudnn_benchmark: true", {"env_cfg.cudnn_benchmark": True}),
    "mp_start_method": ("mp_start_method: spawn", {"env_cfg.mp_cfg.mp_start_method": "spawn"}),
    "opencv_num_threads": ("opencv_num_threads: 2", {"env_cfg.mp_cfg.opencv_num_threads": 2}),
    "deterministic": ("deterministic: true", {"randomness.deterministic": True}),
    "diff_seed": ("diff_seed: true", {"randomness.diff_rank_seed": True}),
    "seed": ("seed: 3", {}),
    "train_cfg.rpn": ("train_cfg.rpn.allowed_border: 0", {"model.train_cfg.rpn.allowed_border": 0}),
    "train_cfg.rpn_proposal": ("train_cfg.rpn_proposal.nms_pre: 9", {"model.train_cfg.rpn_proposal.nms_pre": 9}),
    "train_cfg.rcnn": ("train_cfg.rcnn.pos_weight: 1", {"model.train_cfg.rcnn.pos_weight": 1}),
    "test_cfg.rpn": ("test_cfg.rpn.nms_pre: 9", {"model.test_cfg.rpn.nms_pre": 9}),
    "test_cfg.rcnn": ("test_cfg.rcnn.score_thr: 0.1", {"model.test_cfg.rcnn.score_thr": 0.1}),
    "model.pretrained": (
        "model.pretrained: torchvision://resnet50",
        {
            "model.backbone.init_cfg._delete_": True,
            "model.backbone.init_cfg.type": "Pretrained",
            "model.backbone.init_cfg.checkpoint": "torchvision://resnet50",
        },
    ),
    "model.pretrained: null": ("model.pretrained: null", {"model.backbone.init_cfg": None}),
    "custom_hooks": (
        "custom_hooks: [{type: ExpMomentumEMAHook, total_iter: 100, momentum: 0.001, resume_from: null, priority: 49}, "
        "{type: SyncNormHook, num_last_epochs: 15, interval: 10}, {type: NumClassCheckHook}]",
        {
            "custom_hooks": [
                {
                    "type": "EMAHook",
                    "ema_type": "ExpMomentumEMA",
                    "gamma": 100,
                    "momentum": 0.001,
                    "update_buffers": True,
                    "priority": 49,
                },
                {"type": "SyncNormHook"},
                {"type": "NumClassCheckHook"},
            ]
        },
    ),
    "workflow": ("workflow: [[train, 1]]", {}),
    "resume_from": ("resume_from: null", {}),
    "auto_resume": ("auto_resume: false", {}),
    # The schedule.
    "runner.max_epochs": (
        "runner: {type: EpochBasedRunner, max_epochs: 24}",
        {"train_cfg.max_epochs": 24, "param_scheduler.1.end": 24},
    ),
    "runner.max_iters": (
        "runner: {type: IterBasedRunner, max_iters: 9}",
        {"train_cfg.max_iters": 9, "param_scheduler.1.end": 9},
        ITERATIONS,
    ),
    "total_epochs": ("total_epochs: 24", {"train_cfg.max_epochs": 24, "param_scheduler.1.end": 24}),
    "runner.max_epochs, cosine": (
        "total_epochs: 200",
        {"train_cfg.max_epochs": 200, "param_scheduler.1.end": 200},
        COSINE,
    ),
    "lr_config.step": ("lr_config.step: [16, 22]", {"param_scheduler.1.milestones": [16, 22]}),
    "lr_config.gamma": ("lr_config.gamma: 0.5", {"param_scheduler.1.gamma": 0.5}),
    "lr_config.warmup_iters": ("lr_config.warmup_iters: 1000", {"param_scheduler.0.end": 1000}),
    "lr_config.warmup_ratio": ("lr_config.warmup_ratio: 0.1", {"param_scheduler.0.start_factor": 0.1}),
    "lr_config.min_lr": ("lr_config.min_lr: 0.1", {"param_scheduler.1.eta_min": 0.1}, COSINE),
    "lr_config.policy step": (
        "lr_config: {policy: step, step: [9]}",
        {"param_scheduler": main(type="MultiStepLR", milestones=[9], gamma=0.1)},
    ),
    "lr_config.policy step, one number": (
        "lr_config: {policy: step, step: 3, gamma: 0.2}",
        {"param_scheduler": main(type="StepLR", step_size=3, gamma=0.2)},
    ),
    "lr_config.policy CosineAnnealing": (
        "lr_config: {policy: CosineAnnealing, min_lr_ratio: 0.01}",
        {"param_scheduler": main(type="CosineAnnealingLR", T_max=12, eta_min_ratio=0.01)},
    ),
    "lr_config.policy, with a length": (
        "{lr_config: {policy: CosineAnnealing, min_lr: 0}, runner.max_epochs: 24}",
        {
            "param_scheduler": [WARM, {**main(type="CosineAnnealingLR", T_max=24, eta_min=0)[1], "end": 24}],
            "train_cfg.max_epochs": 24,
        },
    ),
    "lr_config.policy FlatCosineAnnealing": (
        "lr_config: {policy: FlatCosineAnnealing, start_percent: 0.5, min_lr: 0.0}",
        {"param_scheduler": main(type="CosineAnnealingLR", T_max=6, eta_min=0.0, begin=6)},
    ),
    "lr_config.policy poly": (
        "lr_config: {policy: poly, power: 0.9, min_lr: 1.0e-4}",
        {"param_scheduler": main(type="PolyLR", power=0.9, eta_min=1e-4)},
    ),
    "lr_config.policy exp": (
        "lr_config: {policy: exp, gamma: 0.9}",
        {"param_scheduler": main(type="ExponentialLR", gamma=0.9)},
    ),
    "lr_config.policy CosineRestart": (
        "lr_config: {policy: CosineRestart, periods: [6, 6], restart_weights: [1, 0.5], min_lr: 0.0}",
        {"param_scheduler": main(type="CosineRestartLR", periods=[6, 6], restart_weights=[1, 0.5], eta_min=0.0)},
    ),
    "lr_config.policy fixed": ("lr_config: {policy: fixed}", {"param_scheduler": [WARM]}),
    "lr_config.policy fixed alone": ("lr_config: {_delete_: true, policy: fixed}", {"param_scheduler": None}),
    "lr_config.warmup: null": ("lr_config.warmup: null", {"param_scheduler": base(MASK)["param_scheduler"][1:]}),
    "lr_config.warmup": (
        "lr_config: {warmup: constant, warmup_iters: 9, warmup_ratio: 0.5}",
        {
            "param_scheduler": [
                {"type": "ConstantLR", "factor": 0.5, "by_epoch": False, "begin": 0, "end": 9},
                base(MASK)["param_scheduler"][1],
            ]
        },
    ),
    "lr_config.warmup_by_epoch": (
        "lr_config: {_delete_: true, policy: step, step: [8], warmup: linear, warmup_iters: 2, warmup_by_epoch: true}",
        {
            "param_scheduler": [
                {
                    "type": "LinearLR",
                    "start_factor": 0.1,
                    "by_epoch": True,
                    "begin": 0,
                    "end": 2,
                    "convert_to_iter_based": True,
                },
                main(type="MultiStepLR", milestones=[8], gamma=0.1)[1],
            ]
        },
    ),
    # The data.
    "data.samples_per_gpu": ("data.samples_per_gpu: 4", {}),
    "data.workers_per_gpu": ("data.workers_per_gpu: 4", WORKERS),
    "data.workers_per_gpu: 0": (
        "data.workers_per_gpu: 0",
        {
            **dict.fromkeys(WORKERS, 0),
            "train_dataloader.persistent_workers": False,
            "val_dataloader.persistent_workers": False,
        },
    ),
    "data.persistent_workers": (
        "data.persistent_workers: true",
        {"train_dataloader.persistent_workers": True, "val_dataloader.persistent_workers": True},
    ),
    "data.train_dataloader": (
        "data.train_dataloader: {samples_per_gpu: 2, workers_per_gpu: 1, shuffle: false, pin_memory: true}",
        {
            "train_dataloader.num_workers": 1,
            "train_dataloader.sampler.shuffle": False,
            "train_dataloader.pin_memory": True,
        },
    ),
    "data.val_dataloader": ("data.val_dataloader.samples_per_gpu: 2", {"val_dataloader.batch_size": 2}),
    "data.val.samples_per_gpu": ("data.val.samples_per_gpu: 2", {"val_dataloader.batch_size": 2}),
    "data.train.ann_file": ("data.train.ann_file: /x/a.json", {f"{TRAIN}.ann_file": "/x/a.json"}),
    "data.train.ann_file, below the root": (
        "data.train.ann_file: data/coco/annotations/a.json",
        {f"{TRAIN}.ann_file": "annotations/a.json"},
    ),
    "data.train.ann_file, elsewhere": (
        "data.train.ann_file: data/mine/a.json",
        {
            f"{TRAIN}.data_root": "",
            f"{TRAIN}.ann_file": "data/mine/a.json",
            f"{TRAIN}.data_prefix.img": "data/coco/train2017/",
        },
    ),
    "data.train, all files": (
        "data.train: {data_root: data/mine, ann_file: a.json, img_prefix: images/}",
        {f"{TRAIN}.data_root": "data/mine", f"{TRAIN}.ann_file": "a.json", f"{TRAIN}.data_prefix.img": "images/"},
    ),
    "data.train.dataset": (
        "data.train.dataset: {ann_file: /x/a.json, filter_empty_gt: false, pipeline: [{type: PackDetInputs}]}",
        {
            f"{TRAIN}.dataset.ann_file": "/x/a.json",
            f"{TRAIN}.dataset.filter_cfg.filter_empty_gt": False,
            f"{TRAIN}.dataset.pipeline": [{"type": "PackDetInputs"}],
        },
        REPEATED,
    ),
    "data.train.times": ("data.train.times: 2", {f"{TRAIN}.times": 2}, REPEATED),
    "data.train.ann_file, in a wrapper of today": (
        "data.train.ann_file: /x/a.json",
        {f"{TRAIN}.dataset.ann_file": "/x/a.json"},
        REPEATED,
    ),
    "data.val.ann_file": (
        "data.val.ann_file: data/mine/v.json",
        {
            f"{VAL}.data_root": "",
            f"{VAL}.ann_file": "data/mine/v.json",
            f"{VAL}.data_prefix.img": "data/coco/val2017/",
            "val_evaluator.ann_file": "data/mine/v.json",
        },
    ),
    "data.val.data_root": (
        "data.val.data_root: data/mine",
        {f"{VAL}.data_root": "data/mine", "val_evaluator.ann_file": "data/mine/annotations/instances_val2017.json"},
    ),
    "data.test.img_prefix": (
        "data.test.img_prefix: data/coco/test2017/",
        {"test_dataloader.dataset.data_prefix.img": "test2017/"},
    ),
    "data.val.seg_prefix": (
        "data.val.seg_prefix: /x/seg/",
        {f"{VAL}.data_prefix.seg": "/x/seg/", "val_evaluator.seg_prefix": "/x/seg/"},
        PANOPTIC,
    ),
    "data.train.classes": ("data.train.classes: [a, b]", {f"{TRAIN}.metainfo.classes": ["a", "b"]}),
    "data.train.type": ("data.train.type: LVISV1Dataset", {f"{TRAIN}.type": "LVISV1Dataset"}),
    "data.train.filter_empty_gt": (
        "data.train.filter_empty_gt: false",
        {f"{TRAIN}.filter_cfg.filter_empty_gt": False},
    ),
    "data.val.test_mode": ("data.val.test_mode: true", {f"{VAL}.test_mode": True}),
    "data.train.pipeline, of today": (
        "data.train.pipeline: [{type: LoadImageFromFile}, {type: PackDetInputs}]",
        {f"{TRAIN}.pipeline": [{"type": "LoadImageFromFile"}, {"type": "PackDetInputs"}]},
    ),
    "data.train.pipeline.3.flip_ratio": ("data.train.pipeline.3.flip_ratio: 0.0", {f"{TRAIN}.pipeline.3.prob": 0.0}),
    "data.train.pipeline.3.img_scale": (
        "data.train.pipeline.3.img_scale: [640, 480]",
        {f"{TRAIN}.pipeline.2.scale": [640, 480]},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_key(case: tuple[Any, ...]) -> None:
    text, expected, config = case if len(case) == 3 else (*case, MASK)
    found = translated(text, config)
    assert not found.refused
    assert found.overrides == expected
    result, _ = override(base(config), found.overrides, lambda *parts: ".".join(parts))
    for key, value in found.overrides.items():
        if not key.endswith("_delete_"):
            assert plain(at(result, tuple(key.split(".")))) == value


def plain(value: Any) -> Any:
    """Tuples as YAML's lists."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


REFUSALS: dict[str, tuple[str, str]] = {
    "optimizer_config.type": ("optimizer_config.type: MyHook", "optim_wrapper.type"),
    "evaluation.save_best": ("evaluation.save_best: segm_mAP", "searcher: {metric: segm_mAP}"),
    "evaluation.rule": ("evaluation.rule: less", "searcher: {smaller_is_better: true}"),
    "evaluation.pipeline": ("evaluation.pipeline: []", "val_dataloader.dataset.pipeline"),
    "evaluation.classwise": ("evaluation.classwise: true", "val_evaluator", PANOPTIC),
    "checkpoint_config.max_keep_ckpts": (
        "checkpoint_config.max_keep_ckpts: 3",
        "checkpoint_storage: {save_trial_latest: 3}",
    ),
    "checkpoint_config.out_dir": ("checkpoint_config.out_dir: x", "--output DIR"),
    "log_config.hooks": ("log_config.hooks: [{type: WandbLoggerHook}]", "visualizer.vis_backends"),
    "custom_hooks": ("custom_hooks: [{type: SyncRandomSizeHook}]", "model.data_preprocessor.batch_augments"),
    "workflow": ("workflow: [[train, 1], [val, 1]]", "train_cfg.val_interval: 1"),
    "resume_from": ("resume_from: a.pth", "--resume a.pth"),
    "auto_resume": ("auto_resume: true", "--resume"),
    "seed": ("seed: 4", "reproducibility: {experiment_seed: 4}"),
    "gpu_ids": ("gpu_ids: [0]", "slots_per_trial"),
    "gpus": ("gpus: 2", "slots_per_trial"),
    "img_norm_cfg": ("img_norm_cfg.mean: [0, 0, 0]", "model.data_preprocessor.mean"),
    "momentum_config": ("momentum_config.policy: cyclic", "param_scheduler"),
    "runner.type": ("runner.type: IterBasedRunner", "IterBasedTrainLoop"),
    "runner.max_iters": ("runner.max_iters: 9", "IterBasedTrainLoop"),
    "runner.max_epochs": ("runner.max_epochs: 9", "EpochBasedTrainLoop", ITERATIONS),
    "runner.mine": ("runner.mine: 9", "train_cfg"),
    "lr_config.step": ("lr_config.step: [3]", "param_scheduler: […]", COSINE),
    "lr_config.step, one number": ("lr_config.step: 3", "param_scheduler: […]"),
    "lr_config.mine": ("lr_config.mine: 3", "param_scheduler: […]"),
    "lr_config: null": ("lr_config: null", "param_scheduler: null"),
    "lr_config.policy": ("lr_config: {policy: OneCycle, max_lr: 1}", "param_scheduler"),
    "lr_config.policy, foreign key": ("lr_config: {policy: step, step: [8], power: 2}", "param_scheduler"),
    "lr_config.policy, another unit": ("lr_config: {policy: step, step: [8], by_epoch: false}", "param_scheduler"),
    "lr_config.warmup": ("lr_config: {warmup: exp, warmup_iters: 3}", "lr_config.warmup: linear"),
    "data.train.proposal_file": ("data.train.proposal_file: a.pkl", "ProposalBroadcaster"),
    "data.train.classes": ("data.train.classes: classes.txt", "data.train.classes: [first, second]"),
    "data.train.ann_file": ("data.train.ann_file: a.txt", "train_dataloader.dataset.dataset.datasets.0.ann_file", VOC),
    "data.train.pipeline.5.size_divisor": (
        "data.train.pipeline.5.size_divisor: 1",
        "train_dataloader.dataset.pipeline.N",
    ),
    "the same twice": ("{optimizer.lr: 1, optim_wrapper.optimizer.lr: 2}", "optim_wrapper.optimizer.lr: …, once"),
    "two old keys": ("{fp16.loss_scale: 1.0, optimizer_config.loss_scale: 2.0}", "once"),
    "a search of a computed value": (
        "fp16.loss_scale: {type: categorical, vals: [1.0, 2.0]}",
        "optim_wrapper.type: {type: …}",
    ),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
def test_refused_with_the_line_to_write(case: tuple[Any, ...]) -> None:
    text, instead, config = case if len(case) == 3 else (*case, MASK)
    refused = translated(text, config).refused
    assert refused
    assert all(instead in one.instead for one in refused)
    assert all(one.why for one in refused)


def test_the_table_is_tested() -> None:
    """Every key of the table has a case of its own."""
    tested = {name.split(",")[0].split(":")[0].split(" ")[0] for name in {**CASES, **REFUSALS}}
    assert not {*MOVED, *SPECIAL, *REFUSED} - tested
    for key, why in LEFT_OUT.items():
        found = translated(f"{key}: 1")
        assert (found.overrides, found.refused) == ({}, ()), key
        assert why in found.meanings[0].note


@pytest.mark.parametrize(
    "key", ["optimizer_config.mine", "data.mine", "evaluation.mine", "checkpoint_config.mine", "mine"]
)
def test_an_unknown_key_gives_the_strict_error(key: str) -> None:
    found = translated(f"{key}: 1")
    assert found.overrides == {key: 1}
    with pytest.raises(ConfigError, match="does not exist in the config"):
        override(base(MASK), found.overrides, lambda *parts: ".".join(parts))


def test_a_loss_scale_is_a_float() -> None:
    """mmengine takes 512.0 and fails on 512."""
    assert isinstance(translated("fp16.loss_scale: 512").overrides["optim_wrapper.loss_scale"], float)


def test_an_unknown_argument_is_an_error_under_its_new_name() -> None:
    with pytest.raises(ConfigError, match=r"optim_wrapper\.optimizer\.learning_rate"):
        override(base(MASK), translated("optimizer.learning_rate: 1").overrides, lambda *parts: ".".join(parts))


def test_everything_of_today_stays_as_it_was_written() -> None:
    text = "{train_cfg: {max_epochs: 3}, +a.b: 1, model: {backbone.depth: 18}, custom_hooks: [{type: EMAHook}]}"
    assert translated(text).overrides == yaml.safe_load(text)
    assert translated(text).meanings == ()


def test_a_search_keeps_its_form_under_the_new_name() -> None:
    search = {"type": "log", "base": 10, "minval": -3, "maxval": -1}
    assert translated(f"optimizer.lr: {search}").overrides == {"optim_wrapper.optimizer.lr": search}
