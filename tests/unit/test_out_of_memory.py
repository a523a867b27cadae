"""Out of memory: one error that names batch, image scale and what to override."""

from __future__ import annotations

import pytest
import torch

from model_def.building import building, first_step
from model_def.compose import compose
from model_def.errors import ConfigError
from model_def.experiment import load_experiment
from model_def.out_of_memory import out_of_memory
from tests.support.commands import REPO

TOO_MUCH = 2**55  # numbers: more than any address space has


@pytest.fixture(scope="module")
def composed_experiment():
    experiment = load_experiment(REPO / "experiments/retinanet/retinanet_r50_fpn_1x_coco.yaml")
    return compose(experiment, slots=experiment.slots_per_trial), experiment


def test_training(composed_experiment):
    with pytest.raises(ConfigError) as raised, out_of_memory(*composed_experiment), first_step():
        torch.empty(TOO_MUCH)
    what, where, allowed, next_step = str(raised.value).splitlines()
    assert what == "out of memory: '2 images in each process, images of (1333, 800)'"
    assert "can't allocate memory: you tried to allocate" in where
    assert allowed == "  allowed: a batch that fits into the memory beside the model"
    assert next_step == (
        "  next:    global_batch_size=8 or 'train_dataloader.dataset.pipeline.2.scale=[1000,600]' or on a GPU, "
        "optim_wrapper.type=AmpOptimWrapper"
    )


def test_validation(composed_experiment):
    def val_step():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")

    with pytest.raises(ConfigError) as raised, out_of_memory(*composed_experiment):
        val_step()
    assert "where:   val_dataloader: CUDA out of memory. Tried to allocate 2.00 GiB.\n" in str(raised.value)
    assert "'val_dataloader.dataset.pipeline.1.scale=[1000,600]'" in str(raised.value)


def test_building(composed_experiment):
    composed, experiment = composed_experiment
    with pytest.raises(ConfigError) as raised, out_of_memory(composed, experiment), building("model"):
        raise MemoryError
    assert "where:   train_dataloader: MemoryError" in str(raised.value)


def test_another_error_stays(composed_experiment):
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory(*composed_experiment):
        raise RuntimeError("shapes do not fit")
