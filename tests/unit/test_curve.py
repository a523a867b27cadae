"""The drawn learning rate: the same numbers as mmengine's Runner has in training, in milliseconds for a long one."""

from __future__ import annotations

import io
import pathlib
import time
from typing import Any

import pytest
import torch
from mmdet.registry import PARAM_SCHEDULERS
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import ConstantLR
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from model_def.report.console import make_console
from model_def.report.curve import BARS, Curve, curve
from model_def.report.plan import print_rows
from model_def.report.rates import TIMES, Length

BATCHES, EPOCHS, RATE = 30, 12, 0.02
WARM_UP = {"type": "LinearLR", "start_factor": 0.001, "by_epoch": False, "begin": 0, "end": 50}
STEPS = {"type": "MultiStepLR", "begin": 0, "end": 12, "by_epoch": True, "milestones": [8, 11], "gamma": 0.1}
LATE = {"begin": 4, "T_max": 8, "end": 12, "by_epoch": True, "convert_to_iter_based": True}
RESTARTS = {"type": "CosineRestartLR", "periods": [120, 240], "restart_weights": [1, 0.5], "by_epoch": False}
RESTARTS["eta_min"] = 1e-3
SCHEDULES: dict[str, Any] = {
    "1x": [WARM_UP, STEPS],
    "a single mapping": STEPS,
    "an end that cuts steps off": [{**STEPS, "end": 9}],
    "no end": [WARM_UP, {"type": "MultiStepLR", "milestones": [3]}],
    "RTMDet's": [WARM_UP, {"type": "CosineAnnealingLR", "eta_min": 0.001, **LATE}],
    "YOLOX's": [
        {"type": "mmdet.QuadraticWarmupLR", "begin": 0, "end": 2, "by_epoch": True, "convert_to_iter_based": True},
        {"type": "CosineAnnealingLR", "eta_min": 0.001, **LATE, "begin": 2, "end": 9, "T_max": 9},
        {"type": "ConstantLR", "by_epoch": True, "factor": 1, "begin": 9, "end": 12},
    ],
    "cosine by epochs, with a warm-up": [WARM_UP, {"type": "CosineAnnealingLR", "T_max": 12, "begin": 0, "end": 12}],
    "poly": [WARM_UP, {"type": "PolyLR", "power": 0.9, "eta_min": 1e-4, "by_epoch": False, "begin": 50, "end": 360}],
    "steps of one size": [{"type": "StepLR", "step_size": 5, "gamma": 0.5}],
    "exponential": [{"type": "ExponentialLR", "gamma": 0.9}],
    "one cycle": [{"type": "OneCycleLR", "eta_max": 0.1, "total_steps": 360, "by_epoch": False}],
    "restarts": [RESTARTS],
    "momentum beside it": [STEPS, {"type": "LinearMomentum", "by_epoch": True, "begin": 0, "end": 3}],
    "nothing": [],
}  # fmt: skip
LENGTHS = {
    "epochs": Length(total=BATCHES * EPOCHS, batches=BATCHES, epochs=EPOCHS),
    "iterations": Length(total=BATCHES * EPOCHS, batches=BATCHES, epochs=None),
}


class Line(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs: torch.Tensor, mode: str = "loss") -> Any:
        return {"loss": self.layer(inputs).mean()}


class Recording(Hook):
    def __init__(self) -> None:
        self.rates: list[float] = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.rates.append(runner.optim_wrapper.param_groups[0]["lr"])


def recorded(schedule: Any, length: Length, folder: pathlib.Path) -> list[float]:
    """What a training by mmengine's Runner has."""
    hook = Recording()
    loop = {"by_epoch": False, "max_iters": length.total}
    if length.epochs:
        loop = {"by_epoch": True, "max_epochs": length.epochs}
    runner = Runner(
        model=Line(),
        work_dir=str(folder),
        train_dataloader=DataLoader([(torch.ones(1),)] * length.batches),  # type: ignore[arg-type]
        train_cfg=loop,
        optim_wrapper={"optimizer": {"type": "SGD", "lr": RATE, "momentum": 0.9}},
        param_scheduler=schedule or None,
        default_hooks={"checkpoint": None, "logger": None, "timer": None, "runtime_info": None},
        custom_hooks=[hook],
        experiment_name=folder.name,
        default_scope="mmdet",
        log_level="ERROR",
    )
    runner.train()
    return hook.rates


@pytest.mark.parametrize(
    ("name", "loop"), [*((name, "epochs") for name in SCHEDULES), ("1x", "iterations"), ("poly", "iterations")]
)
def test_equal_to_the_runners(name: str, loop: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # mmengine's, where an iteration loop begins anew
    drawn = curve(SCHEDULES[name], RATE, LENGTHS[loop])
    assert drawn is not None
    assert list(drawn.rates) == recorded(SCHEDULES[name], LENGTHS[loop], tmp_path)


def longer(schedule: Any, scale: int) -> Any:
    """The schedule with what counts batches, not epochs, `scale` times as long."""
    found = [schedule] if isinstance(schedule, dict) else schedule
    return [one if one.get("by_epoch", True) else _longer(one, scale) for one in found]


def _longer(value: Any, scale: int) -> Any:
    if isinstance(value, dict):
        return {key: _longer(item, scale) if key in TIMES else item for key, item in value.items()}
    return [item * scale for item in value] if isinstance(value, list) else value * scale


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_shortened_training_has_the_same_shape(name: str) -> None:
    schedule = longer(SCHEDULES[name], 60)
    length = Length(total=60 * BATCHES * EPOCHS, batches=60 * BATCHES, epochs=EPOCHS)
    exact, short = curve(schedule, RATE, length, samples=length.total), curve(schedule, RATE, length)
    assert exact is not None
    assert short is not None
    assert len(short.rates) <= 3000 < len(exact.rates)
    apart = max(abs(rate - exact.rates[index * short.every]) for index, rate in enumerate(short.rates))
    assert apart <= 0.015 * max(exact.rates)
    assert said(short) == said(exact)


def said(drawn: Curve) -> list[str]:
    """The text without the last rate: a cosine's last of all is a little smaller."""
    return [part for part in drawn.text().replace("\n", " ").split(" → ") if not part.endswith("the end")]


def test_a_long_training_takes_milliseconds() -> None:
    schedule = [{**WARM_UP, "end": 1000}, {**LATE, "type": "CosineAnnealingLR", "begin": 150, "end": 300, "T_max": 150}]
    length = Length(total=300 * 7330, batches=7330, epochs=300)
    times = []
    for _ in range(5):
        start = time.process_time()
        drawn = curve(schedule, 0.004, length)
        times.append(time.process_time() - start)
    assert min(times) < 0.05
    assert drawn is not None
    assert drawn.text() == "4e-06 → 0.004 after batch 1,000 → nearly 0 at the end"


def test_it_is_drawn_and_told() -> None:
    drawn = curve([{**WARM_UP, "end": 500}, STEPS], 0.01, Length(total=12 * 7330, batches=7330, epochs=12))
    assert drawn is not None
    bars = drawn.bars()
    assert len(bars) == 56
    assert bars[0] == BARS[0]
    assert (bars.count(BARS[7]), bars.count(BARS[2]), bars.count(BARS[1])) == (37, 14, 4)
    assert drawn.text() == "1e-05 → 0.01 after batch 500 → 0.001 after epoch 8 → 0.0001 after epoch 11"
    steps = {**STEPS, "by_epoch": False, "milestones": [60000, 80000], "end": 90000}
    by_iterations = curve(steps, 0.01, Length(total=90000, batches=7330, epochs=None))
    assert by_iterations is not None
    assert by_iterations.text() == "0.01 → 0.001 after batch 60,000 → 0.0001 after batch 80,000"


def test_a_warm_up_longer_than_the_training_is_told() -> None:
    drawn = curve([{**WARM_UP, "end": 500}], 0.01, Length(total=100, batches=50, epochs=2))
    assert drawn is not None
    assert "lr 0.01 is never reached" in drawn.text()


@PARAM_SCHEDULERS.register_module()
class OnesOwn(ConstantLR):
    pass


@pytest.mark.parametrize(
    "schedule", [{"type": "OnesOwn"}, {"type": "NoSuch"}, {"type": "ReduceOnPlateauLR", "monitor": "bbox_mAP"}]
)
def test_what_is_not_known_is_not_drawn(schedule: Any) -> None:
    assert curve(schedule, RATE, LENGTHS["epochs"]) is None


def test_a_terminal_without_unicode_gets_ascii() -> None:
    drawn = curve([WARM_UP, STEPS], RATE, LENGTHS["epochs"])
    assert drawn is not None
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_rows([("schedule", f"{drawn.bars()}\n{drawn.text()}"), ("note", "✓ Łódź")], make_console(stream))
    stream.seek(0)
    first, second, note = stream.read().splitlines()
    assert first.startswith("  schedule    _")
    assert "######" in first
    assert " -> 0.002 after epoch 8 -> " in second
    assert note == "  note        + ??d?"
    assert max(map(len, (first, second))) <= 100
