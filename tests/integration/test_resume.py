"""A run that was stopped and resumed is the run that was never stopped, whatever it was doing: bit for bit.

Compared are every metric line and the whole last checkpoint: weights, optimizer, averages, schedulers, message hub,
random numbers, and the data's place.
"""

from __future__ import annotations

import json
import pathlib
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.integration.test_parity import small_experiment
from tests.support.commands import metrics
from tests.support.trainings import Stop, run, same_run

RETINANET = "retinanet/retinanet_r18_fpn_1x_coco.py"
WORKERS = ("train_dataloader.num_workers=2",)
PERSISTENT = (*WORKERS, "train_dataloader.persistent_workers=true")


@pytest.fixture(scope="module")
def context(shapes_context) -> Iterator[pathlib.Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shapes_context)
        yield shapes_context


@pytest.fixture(scope="module")
def whole(context, tmp_path_factory):
    """Trains an experiment once without a stop, and keeps it for all tests."""
    runs: dict[tuple[str, ...], tuple[pathlib.Path, pathlib.Path]] = {}

    def get(name: str, *overrides: str, processes: int = 1) -> tuple[pathlib.Path, pathlib.Path]:
        key = (name, *overrides, str(processes))
        if key not in runs:
            folder = tmp_path_factory.mktemp("whole")

            def write(content):
                (folder / "small.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
                return folder / "small.yaml"

            experiment = small_experiment(name, write)
            run(experiment, folder / "run", *overrides, cwd=context, processes=processes)
            runs[key] = experiment, folder / "run"
        return runs[key]

    return get


ITERATIONS = f"{RETINANET} by iterations"
FINITE = ("train_dataloader.sampler.type=DefaultSampler",)  # the loop starts it anew where it ends
ACCUMULATING = ("optim_wrapper.accumulative_counts=4",)
YOLOX = "yolox/yolox_tiny_8xb8-300e_coco.py"
RTMDET = "rtmdet/rtmdet_tiny_8xb32-300e_coco.py"
SIZES = ("model.data_preprocessor.batch_augments.0.random_size_range=[64,192]",)  # the model keeps the last one
CACHES = (
    "train_dataloader.dataset.pipeline.2.max_cached_images=6",
    "train_dataloader.dataset.pipeline.8.max_cached_images=5",
)

# Every cut of small loaders, with one to three workers, is in tests/unit/test_loading.py.
CASES = {
    "in the middle of accumulating gradients": (RETINANET, ACCUMULATING, Stop(batch=9)),
    "workers, in the middle of an epoch": (RETINANET, WORKERS, Stop(batch=9)),
    "iterations with workers": (ITERATIONS, PERSISTENT, Stop(batch=11)),
    "iterations with workers, where finite data ends": (ITERATIONS, (*WORKERS, *FINITE), Stop(batch=12)),
    "averages, before a switch": (YOLOX, PERSISTENT, Stop(batch=6)),
    "averages, right after a switch": (YOLOX, PERSISTENT, Stop(batch=7)),
    "averages, an epoch behind a switch": (YOLOX, PERSISTENT, Stop(batch=12)),
    "another image size": (YOLOX, SIZES, Stop(batch=14)),
    "caches of images in workers": (RTMDET, (*PERSISTENT, *CACHES), Stop(batch=9)),
    "caches of images, before a switch": (RTMDET, CACHES, Stop(batch=12)),
}


@pytest.mark.parametrize("case", CASES)
def test_goes_on_as_if_it_had_not_been_stopped(case, whole, context, tmp_path):
    name, overrides, stop = CASES[case]
    experiment, expected = whole(name, *overrides)
    run(experiment, tmp_path / "run", *overrides, cwd=context, stop=stop)
    run(experiment, tmp_path / "run", *overrides, cwd=context, resume=True)
    same_run(tmp_path / "run", expected)


def test_two_processes_with_two_workers_each(whole, context, tmp_path):
    """Each has its own random numbers, workers, caches, batch statistics and their averages, and gradients."""
    own = ("model.use_syncbn=false", "optim_wrapper.accumulative_counts=5", "train_cfg.val_interval=1")
    overrides = (*PERSISTENT, *CACHES, *own)
    experiment, expected = whole(RTMDET, *overrides, processes=2)
    for turn, stop in enumerate((Stop(batch=11), Stop(batch=12, validating=True))):
        run(experiment, tmp_path / "run", *overrides, cwd=context, stop=stop, resume=turn > 0, processes=2)
    run(experiment, tmp_path / "run", *overrides, cwd=context, resume=True, processes=2)
    same_run(tmp_path / "run", expected)


# What a validation changes, and what it decides: random numbers, weights, a learning rate, the end.
VALIDATING = (
    "val_dataloader.dataset.pipeline.1={_delete_: true, type: RandomResize, scale: [64, 64], ratio_range: [0.5, 2]}",
    "param_scheduler=[{type: ReduceOnPlateauLR, monitor: coco/bbox_mAP, patience: 0, threshold: 1}]",
    "train_cfg.val_interval=1",
)
EARLY = "{type: EarlyStoppingHook, monitor: coco/bbox_mAP, patience: 1, min_delta: 1}"


def left(output: pathlib.Path, *, batches: int) -> bool:
    """Whether the last checkpoint was written before its validation, and that one was not made."""
    saved = json.loads((output / "checkpoints/latest/metadata.json").read_text())
    lines = metrics(output / "metrics.jsonl")
    last = max((line["steps_completed"] for line in lines if line["group"] == "validation"), default=0)
    return saved["steps_completed"] == batches > last == saved["validation"].get("steps_completed", 0)


def test_a_validation_is_left_and_made_again(whole, context, tmp_path):
    """Two stops in a row in the first one; one at the end of training, and one in the last validation."""
    overrides = (*VALIDATING, "custom_hooks=[{type: EMAHook, momentum: 0.3}]")
    experiment, expected = whole(RETINANET, *overrides)
    for turn, stop in enumerate((leave(6), leave(6), Stop(batch=18), leave(18))):
        run(experiment, tmp_path / "run", *overrides, cwd=context, stop=stop, resume=turn > 0)
        assert left(tmp_path / "run", batches=stop.batch)
    run(experiment, tmp_path / "run", *overrides, cwd=context, resume=True)
    same_run(tmp_path / "run", expected)
    links = [(each / "checkpoints/best").readlink() for each in (tmp_path / "run", expected)]
    assert links[0] == links[1]


def leave(batch: int) -> Stop:
    return Stop(batch=batch, validating=True)


def kill(batch: int, **where: Any) -> Stop:
    return Stop(batch=batch, number=signal.SIGKILL, **where)


# Left after an epoch and in the middle of one; killed while the outcome was saved, and after the first batch behind it.
OFTEN = (*PERSISTENT, *ACCUMULATING, "min_validation_period.batches=4")
KILLS = (leave(6), kill(6, validating=True, writing=0), kill(7), leave(8), kill(9))


@pytest.mark.parametrize(
    ("name", "overrides", "stops"),
    [(RETINANET, OFTEN, KILLS), (ITERATIONS, PERSISTENT, (leave(7), kill(8)))],
    ids=["epochs", "iterations"],
)
def test_killed_where_a_validation_was_left(name, overrides, stops, whole, context, tmp_path):
    experiment, expected = whole(name, *overrides)
    for turn, stop in enumerate(stops):
        killed = stop.number == signal.SIGKILL
        code = -signal.SIGKILL if killed else None
        run(experiment, tmp_path / "run", *overrides, cwd=context, stop=stop, resume=turn > 0, code=code)
        assert killed or left(tmp_path / "run", batches=stop.batch)
    run(experiment, tmp_path / "run", *overrides, cwd=context, resume=True)
    same_run(tmp_path / "run", expected)


def test_a_validation_that_was_left_ends_the_training(whole, context, tmp_path):
    overrides = (*VALIDATING, f"custom_hooks=[{EARLY}]")
    experiment, expected = whole(RETINANET, *overrides)
    assert metrics(expected / "metrics.jsonl")[-1]["steps_completed"] == 12
    run(experiment, tmp_path / "run", *overrides, cwd=context, stop=leave(12))
    assert left(tmp_path / "run", batches=12)
    for _ in "it goes on", "it is over":
        run(experiment, tmp_path / "run", *overrides, cwd=context, resume=True)
        same_run(tmp_path / "run", expected)


def test_a_validation_before_the_first_batch_is_left(whole, context, tmp_path):
    """Nothing is trained, nothing is saved."""
    experiment, _ = whole(RETINANET, *WORKERS)
    stopped = run(experiment, tmp_path / "run", "perform_initial_validation=true", cwd=context, stop=leave(0))
    assert "stopped before the first batch; start again with" in stopped.errors
    assert not (tmp_path / "run/checkpoints").exists()


def test_another_number_of_workers_is_refused(whole, context, tmp_path):
    experiment, _ = whole(RETINANET, *WORKERS)
    run(experiment, tmp_path / "run", *WORKERS, cwd=context, stop=Stop(batch=3))
    refused = run(experiment, tmp_path / "run", cwd=context, resume=True, code=2)
    assert "num_workers" in refused.errors
    assert "Traceback" not in refused.errors
