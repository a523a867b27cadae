"""What can be watched while a detector trains: AP of each class, curves, pictures, traces."""

from __future__ import annotations

from determined import pytorch
from mmengine.hooks import Hook

from model_def.experiment_types import Experiment
from model_def.watching.trace import TraceHook
from model_def.watching.watch import WatchHook


def watching(context: pytorch.PyTorchTrialContext, experiment: Experiment) -> list[Hook]:
    """The hooks for a Runner whose trial has this context."""
    hooks: list[Hook] = [WatchHook(context, experiment)]
    batches = experiment.hyperparameters.profile_batches
    if batches and context.distributed.rank == 0:
        hooks.append(TraceHook(context.get_tensorboard_path(), batches))
    return hooks
