"""What the zoo doesn't use and a user may: changes to a config of the zoo that is small already."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

Config = dict[str, Any]
EXTRAS = "tests.parity.extras"


def accumulation(config: Config) -> None:
    """An update every third iteration: eight leave two over; the gradient is clipped."""
    config["optim_wrapper"] |= {"accumulative_counts": 3, "clip_grad": {"max_norm": 1.0}}


def auto_scale_lr(config: Config) -> None:
    """The learning rate follows the batch size."""
    config["auto_scale_lr"] = {"enable": True, "base_batch_size": 16}


def two_optimizers(config: Config) -> None:
    """An optimizer for the backbone and one for the rest, by a constructor of the user's own."""
    optimizer = config["optim_wrapper"]["optimizer"]
    other = {"type": "AdamW", "lr": 1e-4}
    config["optim_wrapper"] = {"constructor": "TwoOptimizers", "backbone": other, "rest": optimizer}
    config["model"]["type"] = "RetinaNetOfTwoOptimizers"
    config["param_scheduler"] = {
        "backbone": [{"type": "LinearLR", "start_factor": 0.5, "by_epoch": False, "begin": 0, "end": 4}],
        "rest": [{"type": "MultiStepLR", "by_epoch": True, "milestones": [1]}],
    }
    config["custom_imports"]["imports"].append(EXTRAS)


def early_stop(config: Config) -> None:
    """Training ends after the third of six epochs, and the learning rate falls when the metric stays."""
    config["train_cfg"]["max_epochs"] = 6
    config["param_scheduler"] = [
        {"type": "ReduceOnPlateauLR", "monitor": "coco/bbox_mAP", "rule": "greater", "patience": 0, "factor": 0.5},
        {"type": "LinearMomentum", "start_factor": 0.5, "by_epoch": False, "begin": 0, "end": 3},
    ]
    stop = {"type": "EarlyStoppingHook", "monitor": "coco/bbox_mAP", "min_delta": 1.0, "patience": 2}
    config["custom_hooks"].append(stop)


def finite_iterations(config: Config) -> None:
    """The iteration loop over a sampler that ends, with validations at changing intervals and not at the beginning."""
    config["train_cfg"] = {
        "type": "IterBasedTrainLoop",
        "max_iters": 11,
        "val_begin": 4,
        "val_interval": 3,
        "dynamic_intervals": [(8, 1)],
    }
    config["param_scheduler"] = [{"type": "PolyLR", "by_epoch": False, "begin": 0, "end": 11, "power": 0.9}]


def late_validation(config: Config) -> None:
    """Three epochs; averaged weights from the second one on; buffers synchronised; pictures of each validation."""
    config["train_cfg"] |= {"max_epochs": 3, "val_begin": 2, "val_interval": 1}
    config["custom_hooks"] += [
        {"type": "EMAHook", "ema_type": "ExponentialMovingAverage", "momentum": 0.5, "begin_epoch": 1},
        {"type": "SyncBuffersHook"},
    ]
    config["default_hooks"]["visualization"] = {"type": "DetVisualizationHook", "draw": True, "interval": 1}


def two_validation_sets(config: Config) -> None:
    """A validation of two data sets with an evaluator each."""
    loader, evaluator = config["val_dataloader"], config["val_evaluator"]
    sets = [copy.deepcopy(loader["dataset"]) for _ in range(2)]
    loader["dataset"] = {"type": "ConcatDataset", "datasets": sets}
    metrics = [copy.deepcopy(evaluator) for _ in range(2)]
    config["val_evaluator"] = {
        "type": "MultiDatasetsEvaluator",
        "metrics": metrics,
        "dataset_prefixes": ["first", "second"],
    }
    for part in ("dataloader", "evaluator"):
        config[f"test_{part}"] = copy.deepcopy(config[f"val_{part}"])


def evaluation_in_processes(config: Config) -> None:
    """Matching boxes is spread over processes, as V3Det's configs do."""
    config["val_evaluator"]["use_mp_eval"] = True


VARIANTS: dict[str, Callable[[Config], None]] = {
    change.__name__.replace("_", "-"): change
    for change in (
        accumulation,
        auto_scale_lr,
        two_optimizers,
        early_stop,
        finite_iterations,
        late_validation,
        two_validation_sets,
        evaluation_in_processes,
    )
}
