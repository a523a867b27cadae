"""The parity harness itself: it must see a difference, and its short schedules must hold what the long ones do."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest
import torch

from tests.parity import reasons
from tests.parity.channels import narrower, thin_backbone
from tests.parity.compare import common_part_differs, facts, metrics_differ, records_differ
from tests.parity.recorder import digest
from tests.parity.shorten import shorten
from tests.parity.sizes import smaller

LINES = [
    {"iteration": 1, "epoch": 0, "batch": "ab"},
    {"step": "optimizer", "gradient_norm": 0.5, "lr": [[0.1, 2]], "momentum": [[0.9, 2]]},
    {"after": 1, "losses": {"loss": 0.1 + 0.2}, "logged": {"lr": 0.1}},
    {"validation": 1, "metrics": {"coco/bbox_mAP": 0.123}},
    {"end": 1, "weights": "cd"},
]


def write(path: pathlib.Path, lines: list[dict]) -> pathlib.Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def stock(tmp_path: pathlib.Path) -> pathlib.Path:
    return write(tmp_path / "stock", LINES)


def test_equal_records(stock, tmp_path):
    assert records_differ(write(tmp_path / "ours", LINES), stock) is None
    assert facts(stock) == {"iterations": 1, "updates": 1, "validations": 1, "learning_rates": 1}


@pytest.mark.parametrize(
    ("line", "change", "says"),
    [
        (0, {"batch": "ac"}, "batch {'iteration': 1}"),
        (1, {"gradient_norm": np.nextafter(0.5, 1)}, "gradient_norm"),
        (1, {"momentum": [[0.9, 1], [0.8, 1]]}, "momentum"),
        (2, {"losses": {"loss": 0.3}}, "losses {'after': 1}: ours {'loss': 0.3}"),
        (3, {"metrics": {}}, "metrics {'validation': 1}"),
        (4, {"weights": "ce"}, "weights {'end': 1}"),
    ],
)
def test_any_difference_is_found(stock, tmp_path, line, change, says):
    lines = [dict(item) for item in LINES]
    lines[line] |= change
    assert says in records_differ(write(tmp_path / "ours", lines), stock)


def test_a_run_that_ends_early_differs(stock, tmp_path):
    assert "only stock goes on" in records_differ(write(tmp_path / "ours", LINES[:3]), stock)


def test_what_one_run_computed_before_it_failed(stock, tmp_path):
    assert common_part_differs(write(tmp_path / "ours", LINES[:3]), stock) is None
    other = {"after": 1, "losses": {"loss": 0.3}, "logged": {}}
    assert "losses" in common_part_differs(write(tmp_path / "ours", [*LINES[:2], other]), stock)


def test_nan_equals_nan(tmp_path):
    lines = [{"after": 1, "losses": {"loss": float("nan")}}]
    assert records_differ(write(tmp_path / "ours", lines), write(tmp_path / "stock", lines)) is None


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        ({"loss": 0.1 + 0.2, "lr": 0.1}, None),
        ({"loss": 0.3, "lr": 0.1}, "loss after 1 is 0.3"),
        ({"loss": 0.1 + 0.2}, "lr after 1 is None"),
    ],
)
def test_metrics_file(stock, tmp_path, metrics, says):
    reported = [
        {"group": "training", "steps_completed": 1, "metrics": metrics},
        {"group": "validation", "steps_completed": 1, "metrics": {"bbox_mAP": 0.12345}},
    ]
    found = metrics_differ(write(tmp_path / "metrics.jsonl", reported), stock)
    assert (says in found) if says else found is None


def test_a_metric_that_is_missing_is_found(stock, tmp_path):
    reported = [{"group": "training", "steps_completed": 1, "metrics": LINES[2]["losses"] | LINES[2]["logged"]}]
    reported.append({"group": "validation", "steps_completed": 1, "metrics": {"bbox_mAP_50": 0.5}})
    assert "lacks coco/bbox_mAP" in metrics_differ(write(tmp_path / "metrics.jsonl", reported), stock)


def test_digest_sees_every_bit():
    value = {"inputs": [torch.zeros(3)], "masks": np.zeros(2), "path": "a.png"}
    assert digest(value) == digest(value)
    assert digest(value) != digest({**value, "inputs": [torch.tensor([0.0, 0.0, 1e-45])]})
    assert digest(value) != digest({**value, "path": "b.png"})
    assert digest(torch.zeros(2, 3)) != digest(torch.zeros(3, 2))


def by_epochs(epochs: int, schedulers: list[dict], hooks: list[dict], **loop) -> dict:
    config = {
        "train_cfg": {"type": "EpochBasedTrainLoop", "max_epochs": epochs, "val_interval": 1, **loop},
        "param_scheduler": schedulers,
        "custom_hooks": hooks,
        "model": {"head": {"initial_epoch": 4}},
    }
    shorten(config)
    return config


def test_two_epochs_with_a_milestone_between():
    warm_up = {"type": "LinearLR", "by_epoch": False, "begin": 0, "end": 500}
    steps = {"type": "MultiStepLR", "by_epoch": True, "begin": 0, "end": 12, "milestones": [8, 11]}
    config = by_epochs(12, [warm_up, steps], [])
    assert config["train_cfg"]["max_epochs"] == 2
    assert (steps["end"], steps["milestones"], warm_up["end"]) == (2, [1, 1], 3)
    assert config["model"]["head"]["initial_epoch"] == 1


def test_phases_stay_apart():
    ramp = {"type": "QuadraticWarmupLR", "by_epoch": True, "begin": 0, "end": 5}
    cosine = {"type": "CosineAnnealingLR", "by_epoch": True, "begin": 5, "T_max": 280, "end": 285}
    rest = {"type": "ConstantLR", "by_epoch": True, "begin": 285, "end": 300}
    switch = {"type": "YOLOXModeSwitchHook", "num_last_epochs": 15}
    config = by_epochs(300, [ramp, cosine, rest], [switch], val_interval=10)
    assert config["train_cfg"] == {"type": "EpochBasedTrainLoop", "max_epochs": 3, "val_interval": 1}
    assert [(s["begin"], s["end"]) for s in (ramp, cosine, rest)] == [(0, 1), (1, 2), (2, 3)]
    assert (cosine["T_max"], switch["num_last_epochs"]) == (1, 1)


def test_intervals_change_in_the_short_schedule_too():
    loop = by_epochs(300, [], [], val_interval=10, dynamic_intervals=[(280, 1)])["train_cfg"]
    assert (loop["max_epochs"], loop["val_interval"], loop["dynamic_intervals"]) == (3, 3, [(2, 1)])


def test_iterations():
    steps = {"type": "MultiStepLR", "by_epoch": False, "begin": 0, "end": 90000, "milestones": [60000, 80000]}
    warm_up = {"type": "LinearLR", "by_epoch": False, "begin": 0, "end": 1000}
    loop = {"type": "IterBasedTrainLoop", "max_iters": 90000, "val_interval": 10000.0}
    shorten({"train_cfg": loop, "param_scheduler": [warm_up, steps], "model": {}})
    assert (loop["max_iters"], loop["val_interval"]) == (10, 5.0)
    assert (warm_up["end"], steps["end"], steps["milestones"]) == (3, 10, [7, 9])


def test_sizes_of_images():
    assert smaller((1333, 800), 8) == (160, 96)
    assert smaller([(480, 1333), (640, 640)], 8) == [(64, 160), (64, 64)]
    assert smaller((511, 511), 8) == (127, 127)
    assert smaller((7, 7), 8) == (7, 7)
    assert smaller((1280, 1280), 8, 64) == (128, 128)  # what is halved six times and doubled again


def test_layers_become_thinner_together():
    swin = {"backbone": {"type": "SwinTransformer", "embed_dims": 96}, "neck": {"in_channels": [192, 384, 768]}}
    thin_backbone(swin)
    assert (swin["backbone"]["embed_dims"], swin["neck"]["in_channels"]) == (24, [48, 96, 192])
    feature_pyramid = {"in_channels": (256, 512), "rfp_backbone": {"type": "DetectoRS_ResNet", "depth": 50}}
    recursive = {"backbone": {"type": "DetectoRS_ResNet", "depth": 50}, "neck": feature_pyramid}
    thin_backbone(recursive)
    assert feature_pyramid["in_channels"] == (32, 64)
    assert feature_pyramid["rfp_backbone"]["base_channels"] == recursive["backbone"]["base_channels"] == 8


def test_what_fuses_words_and_pictures_keeps_its_width():
    head = {"in_channels": 256, "feat_channels": [256, 256], "num_feats": 128, "backbone": {"out_channels": 256}}
    glip, other = {"type": "GLIP", "head": {**head}}, {"type": "ATSS", "head": {**head}}
    narrower(glip)
    narrower(other)
    assert glip["head"] == head
    assert other["head"] == {**head, "in_channels": 64, "feat_channels": [64, 64], "num_feats": 32}


def test_causes_are_counted():
    def row(result: str, reason: str) -> dict:
        return {"result": result, "reason": reason}

    masked = row("not comparable", "stock fails: RuntimeError: masked_im2col: implementation for device cpu not found.")
    rows = [masked, masked, row("equal", ""), row("not comparable", "something new")]
    assert reasons.table(rows).splitlines() == [
        f"| not comparable | {reasons.why(masked)} | 2 |",
        f"| not comparable | {reasons.OTHER} | 1 |",
    ]
