"""The progress hook on a real mmengine Runner with a small model."""

import io
import re
import sys
import types

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from rich.console import Console
from torch import nn
from torch.utils.data import DataLoader, Dataset

from model_def.report import progress
from model_def.report.progress import ProgressHook, shortened, validations_left

BATCHES, EPOCHS = 4, 3


class Points(Dataset):
    metainfo = {"classes": ("cat", "dog")}  # noqa: RUF012  # as mmengine's data sets have it

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return (torch.full((1,), float(index)),)


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(1, 1)

    def forward(self, inputs, mode="tensor"):
        loss = self.backbone(inputs).square().mean()
        return {"loss": loss} if mode == "loss" else [loss]


class Rising(BaseMetric):
    """0.5, then 0.25, then 0.75: the last validation is the best, the second is not."""

    default_prefix = "toy"

    def __init__(self):
        super().__init__()
        self.values = iter([0.5, 0.25, 0.75])

    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        value = next(self.values)
        return {"box_mAP": value, "box_mAP_50": value + 0.125}


def loop(**train_cfg):
    return {"by_epoch": True, "max_epochs": EPOCHS, **train_cfg}


def make_runner(tmp_path, train_cfg=None):
    return Runner(
        model=Line(),
        work_dir=str(tmp_path / "work"),
        train_dataloader=DataLoader(Points(BATCHES * 2), batch_size=2),
        val_dataloader=DataLoader(Points(6), batch_size=2),
        train_cfg=train_cfg or loop(),
        val_cfg={},
        val_evaluator=[Rising()],
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01}},
        default_hooks={"checkpoint": None, "logger": None},
        experiment_name=tmp_path.name,
        log_level="ERROR",
        cfg=Config({"model": {}, "work_dir": str(tmp_path)}),
    )


def experiment(metric="box_mAP", period=None):
    return types.SimpleNamespace(
        name="toy",
        min_validation_period=period,
        searcher=types.SimpleNamespace(metric=metric, smaller_is_better=False),
        hyperparameters=types.SimpleNamespace(config_file="toy.py", use_pretrained=False, global_batch_size=2),
    )


def train(tmp_path, *, console=None, **options):
    out = console.file if console else io.StringIO()
    console = console or Console(file=out, soft_wrap=True, highlight=False)
    runner = make_runner(tmp_path, options.pop("train_cfg", None))
    runner.register_hook(ProgressHook(experiment=experiment(), output=tmp_path, console=console, **options))
    runner.train()
    return out.getvalue()


def test_plan_comes_first_and_says_what_will_happen(tmp_path):
    text = train(tmp_path, notes=["a translation"])
    plan = text[: text.index("\n\n")]
    assert text.startswith("toy\n")
    for part in (
        "Line on Linear, 2 parameters",
        "8 images to train, 6 to validate; 2 classes (cat, dog)",
        "3 epochs of 4 batches of 2 images = 12 batches",
        "SGD, lr 0.01",
        "after every epoch; the best checkpoint is the one with the largest box_mAP",
        str(tmp_path),
        "a translation",
    ):
        assert part in plan


def test_each_validation_has_a_row_and_the_best_is_marked(tmp_path):
    rows = [line for line in train(tmp_path).splitlines() if re.match(r" +\d+ +\d+ ", line)]
    assert [row.split()[:4] for row in rows] == [
        ["1", "4", "0.500", "0.625"],
        ["2", "8", "0.250", "0.375"],
        ["3", "12", "0.750", "0.875"],
    ]
    assert [("★" in row) for row in rows] == [True, False, True]
    assert "best 0.500 at batch 4" in rows[1]


def test_off_a_terminal_a_line_now_and_then_with_everything(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_PLAIN_PERIOD", (0.0, 0.0))
    lines = [line for line in train(tmp_path).splitlines() if line.startswith("epoch ") and "loss" in line]
    assert len(lines) == BATCHES * EPOCHS
    assert re.fullmatch(
        r"epoch 2/3 · batch 4/4 · ETA \d+:\d\d · loss \d+\.\d{3} · lr 0\.01 · data \d\.\d+ s of \d\.\d+ s · [\d,]+ MB",
        lines[7],
    )


def test_off_a_terminal_it_is_rare_by_default(tmp_path):
    assert "loss" not in train(tmp_path)


def test_on_a_terminal_one_line_is_updated_at_most_four_times_a_second(tmp_path):
    console = Console(file=io.StringIO(), force_terminal=True, width=150, highlight=False)
    seconds = iter(i * 0.05 for i in range(10_000))
    text = train(tmp_path, console=console, now=lambda: next(seconds))
    updates = set(re.findall(r"epoch \d/3 · batch \d/4", text))
    assert 2 <= len(updates) <= BATCHES * EPOCHS / 2, "the clock of this test is asked two or three times a batch"
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1, "the cursor comes back"


def test_on_a_narrow_terminal_nothing_is_cut_off():
    line = "epoch 12/24 · batch 12/125 · ETA 11:12 · loss 0.812 · lr 0.0019 · data 0.004 s of 0.25 s · 1,731 MB"
    assert shortened(line, len(line) + 2) == line
    assert shortened(line, 80) == "12/24  12/125  ETA 11:12  loss 0.812  lr 0.0019  data 0.004/0.25 s  1,731 MB"
    assert len(shortened(line, 80)) <= 78


def test_an_iteration_based_loop_shows_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_PLAIN_PERIOD", (0.0, 0.0))
    text = train(tmp_path, train_cfg={"by_epoch": False, "max_iters": 3, "val_interval": 2})
    assert "3 batches of 2 images (an epoch is 4)" in text
    assert "after every 2 batches and at the end" in text
    assert "\nbatch 3/3 · ETA 0:00" in text
    assert re.search(r"\n +0\.75 +3 +0\.250", text)


def test_a_quiet_console_shows_nothing_and_leaves_standard_error_alone(tmp_path):
    console = Console(file=io.StringIO(), quiet=True, force_terminal=True)
    streams = []
    assert train(tmp_path, console=console, now=lambda: streams.append(sys.stderr) or 0.0) == ""
    assert set(streams) == {sys.stderr}, "another rank's traceback must not vanish"


def test_a_resumed_training_knows_the_earlier_best(tmp_path):
    earlier = '{"group": "validation", "steps_completed": 2, "epoch": 0, "metrics": {"box_mAP": 0.9}}\n'
    (tmp_path / "metrics.jsonl").write_text(earlier)
    text = train(tmp_path)
    assert "★" not in text
    assert text.count("best 0.900 at batch 2") == EPOCHS


@pytest.mark.parametrize(
    ("train_cfg", "expected"),
    [
        (loop(), 3),
        (loop(val_interval=2), 2),  # after epoch 2, and at the end
        (loop(val_begin=3), 1),
        ({"by_epoch": False, "max_iters": 10, "val_interval": 4}, 3),
    ],
)
def test_validations_left_at_the_start(tmp_path, train_cfg, expected):
    seen = []

    class Spy(ProgressHook):
        def before_train(self, runner):
            seen.append(validations_left(runner, experiment()))
            raise KeyboardInterrupt  # the training itself is of no interest

    runner = make_runner(tmp_path, train_cfg)
    runner.register_hook(Spy(experiment=experiment(), output=tmp_path, console=Console(file=io.StringIO(), quiet=True)))
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert seen == [expected]


def test_validations_of_the_yaml_count_too(tmp_path):
    runner = make_runner(tmp_path, loop(val_interval=3))
    runner.train()
    runner.train_loop._iter = runner.train_loop._epoch = 0
    every = types.SimpleNamespace(unit="records", value=4)
    assert validations_left(runner, experiment(period=every)) == BATCHES * EPOCHS / 2
