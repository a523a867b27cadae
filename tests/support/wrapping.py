"""Trains a small model under different ways of wrapping it, in the processes of a launcher; prints what happened.

    torchrun … wrapping.py OUT.json

Each case is a config of its own, built as a trial builds it. The model has a layer that its loss does not use.
"""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile

import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.model import BaseModel

from model_def.loop import pump
from model_def.platform.processes import join, leave
from model_def.runner import build_runner
from tests.parity.recorder import digest

STEPS = 3
WRAPPER = "MMDistributedDataParallel"
CASES = {
    "plain": {},
    "top level": {"find_unused_parameters": True},
    "find_unused_parameters": {"model_wrapper_cfg": {"type": WRAPPER, "find_unused_parameters": True}},
    "static_graph": {"model_wrapper_cfg": {"type": WRAPPER, "static_graph": True}},
    "no broadcast_buffers": {
        "model_wrapper_cfg": {"type": WRAPPER, "find_unused_parameters": True, "broadcast_buffers": False}
    },
    "separate": {"model_wrapper_cfg": {"type": "MMSeparateDistributedDataParallel", "find_unused_parameters": True}},
    "sync_bn": {"sync_bn": "torch", "find_unused_parameters": True},
}


@DATASETS.register_module()
class Numbers(torch.utils.data.Dataset):
    metainfo = {}  # noqa: RUF012

    def __len__(self):
        return 2 * STEPS * 4

    def __getitem__(self, index):
        return {"inputs": torch.full((4, 2, 2), float(index))}


@MODELS.register_module()
class HalfUsed(BaseModel):
    def __init__(self):
        super().__init__()
        self.used = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 1), torch.nn.BatchNorm2d(4))
        self.unused = torch.nn.Linear(4, 4)

    def forward(self, inputs, **_):
        self.buffers_seen = digest(list(self.buffers()))  # behind what the wrapper does first
        return {"loss": self.used(inputs).square().mean()}


def config(**options):
    return Config(dict(
        default_scope="mmdet",
        model={"type": "HalfUsed"},
        train_dataloader={
            "dataset": {"type": "Numbers"}, "batch_size": 4, "num_workers": 0,
            "sampler": {"type": "DefaultSampler"}, "collate_fn": {"type": "default_collate"},
        },
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01}},
        train_cfg={"by_epoch": True, "max_epochs": 1},
        default_hooks={"checkpoint": {"type": "CheckpointHook"}},
        **options,
    ))  # fmt: skip


def trained(options):
    """What is seen on the wrapper, and how the training went."""
    seen = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            runner = build_runner(config(**options), work_dir=pathlib.Path(folder), distributed=True)
            runner.park()
            model = runner.model
            seen = look_at(model)
            loop = pump(runner)
            loop.begin()
            for batch in loop:
                loop.step(batch)
        except (RuntimeError, ValueError) as error:
            return {**seen, "error": str(error)}
        return {**seen, "parameters": digest(model.parameters()), "buffers": model.module.buffers_seen}


def look_at(model):
    """The wrapper's own arguments. MMSeparateDistributedDataParallel wraps each layer of the model."""
    used = model.module.used
    wrapper = used if hasattr(used, "module") else model
    names = ("find_unused_parameters", "broadcast_buffers", "static_graph")
    return {"type": type(model).__name__, **{name: getattr(wrapper, name) for name in names}}


def main(out: pathlib.Path) -> None:
    join()
    found = {name: trained(options) for name, options in CASES.items()}
    out.with_suffix(f".{get_rank()}.json").write_text(json.dumps(found))
    leave()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
