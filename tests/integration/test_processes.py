"""Training by two real processes: one model, each image once an epoch, the gradients of one process."""

from __future__ import annotations

import json
import pathlib
import shutil
import sys

import pytest
import torch
import yaml

from model_def.compose import compose
from model_def.experiment import load_experiment
from tests.support.commands import REPO, model_def, run, torchrun_command
from tests.support.shrink import shrink

IMAGES, BATCH, EPOCHS = 24, 8, 2
STEPS = IMAGES // BATCH
# GroupNorm in the head, BatchNorm as it was pretrained: no statistics of the batch. And its losses are divided by
# what all processes have found, so that their mean over the processes is the loss of the whole batch.
FCOS = "fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py"
SMALL = {
    "custom_imports": {"imports": ["recording"]},
    "custom_hooks": [{"type": "Recording"}],
    "model.backbone": {"init_cfg": None, "base_channels": 8},
    "model.neck": {"in_channels": [32, 64, 128, 256], "out_channels": 32},
    "model.bbox_head": {"in_channels": 32, "feat_channels": 32, "stacked_convs": 1},
    "model.bbox_head.norm_cfg": {"type": "GN", "num_groups": 8, "requires_grad": True},
    "optim_wrapper.optimizer.lr": 0.001,
    "param_scheduler.0.end": 2,
    "train_cfg": {"max_epochs": EPOCHS, "val_interval": EPOCHS},
}


class Record:
    """What the hook of each process has written."""

    def __init__(self, folder: pathlib.Path, processes: int) -> None:
        files = [folder / f"{rank}.jsonl" for rank in range(processes)]
        self.steps = [[json.loads(line) for line in path.read_text().splitlines()] for path in files]
        self.gradients = [torch.load(path.with_suffix(".pth")) for path in files]

    def images(self, epoch: int) -> list[list[int]]:
        """Those of each step of an epoch, all processes' together, sorted."""
        steps = range(epoch * STEPS, (epoch + 1) * STEPS)
        return [sorted(image for each in self.steps for image in each[step]["images"]) for step in steps]


@pytest.fixture(scope="module")
def experiment(shapes_context, tmp_path_factory) -> pathlib.Path:
    """FCOS in small, in a context with the hook; without random flips, which each process draws for itself."""
    context = tmp_path_factory.mktemp("context")
    shutil.copytree(shapes_context / "data", context / "data")
    shutil.copy(REPO / "tests/support/recording.py", context)
    hyperparameters = {
        "config_file": FCOS,
        "global_batch_size": BATCH,
        "schedule": "keep",
        "dataset": {
            "root": "data/shapes",
            "train": {"ann_file": "train.json", "img_prefix": "train/"},
            "val": {"ann_file": "val.json", "img_prefix": "val/"},
        },
        "override_mmdet_config": {**SMALL, "train_dataloader.dataset.pipeline.3.prob": 0.0},
    }
    searcher = {"name": "single", "metric": "bbox_mAP", "smaller_is_better": False}
    content = {
        "name": "processes", "entrypoint": "python3 -m model_def.train", "hyperparameters": hyperparameters,
        "searcher": searcher, "scheduling_unit": 1, "reproducibility": {"experiment_seed": 3},
    }  # fmt: skip
    path = context / "fcos.yaml"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(context)
        patch.syspath_prepend(str(context))
        path.write_text(yaml.safe_dump(content))
        hyperparameters["override_mmdet_config"] |= shrink(compose(load_experiment(path), slots=1).config.to_dict())
        path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def alone(experiment, tmp_path_factory) -> Record:
    folder = tmp_path_factory.mktemp("alone")
    arguments = ("train", str(experiment), "--output", str(folder / "out"))
    model_def(*arguments, cwd=experiment.parent, RECORDING=str(folder / "record"))
    return Record(folder / "record", 1)


@pytest.fixture(scope="module")
def two(experiment, tmp_path_factory) -> Record:
    folder = tmp_path_factory.mktemp("two")
    command = [*torchrun_command(2), "train", str(experiment), "--output", str(folder / "out")]
    run(*command, cwd=experiment.parent, RECORDING=str(folder / "record"))
    return Record(folder / "record", 2)


def test_one_model_after_every_step(two):
    """Parameters and reduced gradients are equal, losses are each process's own."""
    first, second = two.steps
    assert len(first) == len(second) == EPOCHS * STEPS
    for one, other in zip(first, second, strict=True):
        assert (one["parameters"], one["gradients"]) == (other["parameters"], other["gradients"])
        assert one["losses"] != other["losses"]
    assert len({step["parameters"] for step in first}) == len(first), "they move"


def test_an_epoch_is_each_image_once(two):
    for epoch in range(EPOCHS):
        images = sorted(image for step in two.images(epoch) for image in step)
        assert len(images) == len(set(images)) == IMAGES


def test_each_epoch_is_shuffled_anew(two):
    assert two.images(0) != two.images(1)


def test_the_batches_of_a_single_process(two, alone):
    for epoch in range(EPOCHS):
        assert two.images(epoch) == alone.images(epoch)


def test_the_losses_and_gradients_of_a_single_process(two, alone):
    """Two sums of half a batch are not, bit by bit, the sum of a whole one: float32 has 24 bits (6e-8), and a gradient
    is a sum of some thousand terms that cancel. Measured: losses differ by 1.5e-7 at most in all six steps, gradients
    by 1.2e-5 of the largest of their tensor. A wrong divisor, the number of processes for one, would be of order 1.
    """
    for step, (one, other, whole) in enumerate(zip(*two.steps, *alone.steps, strict=True)):
        for name, value in whole["losses"].items():
            mean = (one["losses"][name] + other["losses"][name]) / 2
            assert mean == pytest.approx(value, rel=1e-5), (step, name)
    for name, whole in alone.gradients[0].items():
        assert (two.gradients[0][name] - whole).abs().max() <= 1e-4 * whole.abs().max(), name
    assert max(float(each.abs().max()) for each in alone.gradients[0].values()) > 0


@pytest.fixture(scope="module")
def wrapped(tmp_path_factory) -> list[dict[str, dict[str, object]]]:
    """What each of two processes has seen under each way of wrapping a model with an unused layer."""
    folder = tmp_path_factory.mktemp("wrapped")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    run(*launcher, str(REPO / "tests/support/wrapping.py"), str(folder / "out"), cwd=folder)
    return [json.loads((folder / f"out.{rank}.json").read_text()) for rank in range(2)]


def test_an_unused_parameter_fails_as_it_does_in_mmengine(wrapped):
    assert "parameters that were not used in producing loss" in str(wrapped[0]["plain"]["error"])


WRAPPERS = {
    "top level": ("MMDistributedDataParallel", True, False, False),
    "find_unused_parameters": ("MMDistributedDataParallel", True, True, False),
    "static_graph": ("MMDistributedDataParallel", False, True, True),
    "no broadcast_buffers": ("MMDistributedDataParallel", True, False, False),
    "separate": ("MMSeparateDistributedDataParallel", True, False, False),
}


@pytest.mark.parametrize("case", WRAPPERS)
def test_the_wrapper_is_the_configs(case, wrapped):
    first, second = (each[case] for each in wrapped)
    names = ("type", "find_unused_parameters", "broadcast_buffers", "static_graph")
    assert tuple(first.get(name) for name in names) == WRAPPERS[case], first
    assert first["parameters"] == second["parameters"]
    assert (first["buffers"] == second["buffers"]) == first["broadcast_buffers"]


def test_sync_bn_is_converted(wrapped):
    """On a CPU torch refuses the converted layers: that is how one sees them here."""
    assert "SyncBatchNorm" in str(wrapped[0]["sync_bn"]["error"])
