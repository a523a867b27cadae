"""A hook for a context's `custom_imports`: each process writes what it trains on, and what comes out of it.

Writes `$RECORDING/<rank>.jsonl`, a line for each iteration, and `$RECORDING/<rank>.pth`, the gradients of the first.
"""

from __future__ import annotations

import json
import os
import pathlib

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS

from tests.parity.recorder import digest


@HOOKS.register_module()
class Recording(Hook):
    priority = "LOWEST"

    def before_train(self, runner):
        self.folder = pathlib.Path(os.environ["RECORDING"])
        self.folder.mkdir(exist_ok=True)
        self.stream = open(self.folder / f"{get_rank()}.jsonl", "w")  # noqa: SIM115
        self.model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        step = runner.optim_wrapper.step

        def recorded(*args, **kwargs):
            gradients = {name: each.grad.clone() for name, each in self.model.named_parameters() if each.requires_grad}
            if runner.iter == 0:
                torch.save(gradients, self.folder / f"{get_rank()}.pth")
            self.gradients = digest(list(gradients.values()))
            step(*args, **kwargs)

        runner.optim_wrapper.step = recorded

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        line = {
            "images": [sample.img_id for sample in data_batch["data_samples"]],
            "losses": {name: float(value) for name, value in outputs.items()},
            "gradients": self.gradients,
            "parameters": digest(list(self.model.parameters())),
        }
        self.stream.write(json.dumps(line) + "\n")
        self.stream.flush()
