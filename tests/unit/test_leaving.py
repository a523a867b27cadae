"""A validation that is left for a stop leaves nothing behind; one that nobody could undo is not left."""

from __future__ import annotations

import copy
import os
import types
from collections.abc import Callable

import pytest
import torch
import torch.distributed
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import EMAHook, Hook
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.runner import Runner

from model_def.evaluate.leaving import Exit, Left, strangers
from model_def.evaluate.validation import ValidationReducer


class Net(BaseModel):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.BatchNorm1d(1))

    def forward(self, inputs, data_samples=None, mode="tensor"):
        return [self.layers(torch.stack(inputs))]


class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(len(data_samples))

    def compute_metrics(self, results):
        return {"count": sum(results)}


class Draws(Hook):
    """Somebody's own."""

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        torch.rand(1)


@pytest.fixture
def runner(tmp_path, request) -> Runner:
    """About to validate on five batches, behind some training."""
    validation = {"batch_size": 1, "dataset": [{"inputs": torch.ones(1)}] * 5, "sampler": {"type": "DefaultSampler"}}
    made = Runner(
        Net(),
        work_dir=str(tmp_path),
        experiment_name=request.node.name,
        val_dataloader={**validation, "persistent_workers": False},
        val_evaluator=Evaluator([Count()]),
        val_cfg={},
        custom_hooks=[EMAHook()],
    )
    made.call_hook("before_run")
    made.message_hub.update_info("loop_stage", "train")
    made.message_hub.update_scalar("val/time", 1.0)
    with torch.no_grad():
        made.model.layers[0].weight += 1  # now its average is another
    return made


def asked(times: int) -> Callable[[], bool]:
    """A stop that is pending when it is asked for so many times."""
    answers = iter([False] * (times - 1) + [True] * 9)
    return lambda: next(answers)


def state(runner: Runner) -> tuple[dict[str, torch.Tensor], list[bool], dict[str, object]]:
    modes = [module.training for module in runner.model.modules()]
    scalars = {name: [part.tolist() for part in scalar.data] for name, scalar in runner.message_hub.log_scalars.items()}
    return copy.deepcopy(runner.model.state_dict()), modes, {**scalars, **runner.message_hub.runtime_info}


def test_leaves_everything_as_it_was(runner):
    before = state(runner)
    reducer = ValidationReducer(runner, stop_pending=asked(3))
    with pytest.raises(Left):
        reducer.validate()
    assert runner.val_loop.evaluator.metrics[0].results == [1, 1, 1]
    assert str(state(runner)) == str(before)


def test_a_hook_that_nobody_has_read_keeps_it(runner, caplog):
    reducer = ValidationReducer(runner, stop_pending=asked(2))
    assert strangers(runner) == []
    runner.register_hook(Draws())
    reducer.validate()
    assert reducer.per_slot_reduce() == {"count": 5}
    assert strangers(runner) == ["Draws"]


def test_processes_with_more_batches_ask_no_more_often(tmp_path):
    """Else they would wait for an answer that never comes."""
    context = torch.multiprocessing.get_context("fork")
    processes = [context.Process(target=validate, args=(rank, str(tmp_path / "meet"))) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        process.kill()
    assert [process.exitcode for process in processes] == [0, 0]


def validate(rank: int, meet: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=2)
    asked = torch.zeros(1)

    def pending() -> bool:
        asked.add_(1)
        torch.distributed.all_reduce(torch.zeros(1))
        return False

    batches = [None] * (2 + rank)
    loop = types.SimpleNamespace(dataloader=batches)
    leave = Exit(types.SimpleNamespace(message_hub=MessageHub("own"), val_loop=loop, hooks=[]), pending)
    for batch in range(len(batches)):
        leave.look(batch)
    torch.distributed.barrier()
    os._exit(0 if asked == 2 else 1)
