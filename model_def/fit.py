"""Builds the runner and the trial of a composed experiment and trains it: the same on a cluster and off it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mmengine.hooks import Hook

from model_def import controller, weights
from model_def.building import building
from model_def.class_names import class_names
from model_def.compose import Composed
from model_def.experiment_types import Experiment
from model_def.garbage import uncollected
from model_def.metadata import describe
from model_def.metric import check_metric
from model_def.out_of_memory import out_of_memory
from model_def.platform import Platform
from model_def.runner import build_runner
from model_def.schedule import checkpoints, reports, validations
from model_def.trial import MMDetTrial


def fit(
    experiment: Experiment,
    composed: Composed,
    platform: Platform,
    *,
    hooks: Sequence[Hook] = (),
    before_data: Callable[[], None] = lambda: None,
) -> None:
    """Train to the end of the config's loop, or until the platform asks for a stop; then save and return.

    Args:
        experiment, composed: what to train.
        platform: where.
        hooks: registered beside the config's own.
        before_data: called when the model is built and the data sets are not; it draws no random numbers.

    Raises:
        UserError: the config can't be run, or the checkpoint is one of something else.
        TrainingError: training itself failed.
    """
    with out_of_memory(composed, experiment):
        _fit(experiment, composed, platform, hooks, before_data)


def _fit(
    experiment: Experiment,
    composed: Composed,
    platform: Platform,
    hooks: Sequence[Hook],
    before_data: Callable[[], None],
) -> None:
    context = platform.context
    with building("model", composed, experiment):
        runner = build_runner(composed.config, work_dir=platform.work_dir, distributed=context.distributed.size > 1)
    runner.weights_place = weights.place(experiment)
    runner.fast_evaluation = experiment.hyperparameters.evaluation == "fast"
    for hook in hooks:
        runner.register_hook(hook)
    before_data()
    with building("data, optimizer or schedule", composed, experiment), uncollected():
        trial = MMDetTrial(context, runner, stop_pending=platform.stop_pending)
    if runner.val_loop is not None:
        check_metric(runner.val_loop, experiment)
    plan = controller.Plan(
        length=platform.batches or runner.max_iters,
        report=reports(experiment, trial.pump, platform.stop_pending),
        validate=validations(experiment, trial.pump),
        checkpoint=checkpoints(experiment, trial.pump, composed.config.get("default_hooks", {}).get("checkpoint")),
        metric=experiment.searcher.metric,
        smaller_is_better=experiment.searcher.smaller_is_better,
        policy=experiment.checkpoint_policy if runner.val_loop is not None else "none",
        initial_validation=experiment.perform_initial_validation,
        profiling=experiment.profiling,
        before_checkpoint=platform.before_checkpoint,
        code=platform.code,
        metadata=_metadata(composed, trial, experiment) if context.distributed.rank == 0 else {},
    )
    controller.run(trial, plan, latest_checkpoint=platform.latest_checkpoint)


def _metadata(composed: Composed, trial: MMDetTrial, experiment: Experiment) -> dict[str, Any]:
    about = {"classes": class_names(trial.runner.train_dataloader.dataset)}
    return describe(composed.config, dataset_meta=about, context=experiment.directory)
