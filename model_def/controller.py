"""Determined's own training controller, the same on a cluster and off it.

`determined.pytorch.Trainer.fit` has a local branch that drops the best-checkpoint policy, the searcher's metric and
`steps_completed`. The controller it builds needs none of that: everything comes from its arguments and the core
context. It is a private class of a release that is pinned; a test fails when the version moves.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, cast

from determined import constants, core, pytorch

from model_def.evaluate.leaving import Left
from model_def.takeover import take_over
from model_def.trial import MMDetCallback, MMDetTrial
from model_def.weights.unpickle import check_plain


class Moments(Container[object]):
    """A schedule for Determined that is asked after every batch instead of being fixed in advance."""

    def __init__(self, due: Callable[[int], bool]) -> None:
        self._due = due

    def __contains__(self, batches: object) -> bool:
        return isinstance(batches, int) and self._due(batches)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What the controller is told.

    Attributes:
        length: of the training in batches.
        report, validate, checkpoint: whether it is time, asked with the number of batches trained.
        metric: the validation metric that decides which checkpoint is best.
        policy: `best`, `all` or `none`: when a validation is followed by a checkpoint.
        initial_validation: validate before the first batch.
        profiling: record system metrics (on a cluster).
        before_checkpoint: called on the first process when a checkpoint is about to be saved.
        code: what goes into a checkpoint's `code/`; None leaves that to Determined.
        metadata: what each checkpoint says of itself, beside Determined's own and the last validation.
    """

    length: int
    report: Callable[[int], bool]
    validate: Callable[[int], bool]
    checkpoint: Callable[[int], bool]
    metric: str
    smaller_is_better: bool
    policy: str
    initial_validation: bool
    profiling: bool
    before_checkpoint: Callable[[], None]
    code: pathlib.Path | None
    metadata: Mapping[str, Any]


class _Described:
    """Determined's checkpoint context; each checkpoint that is stored through it says more of itself."""

    def __init__(self, checkpoints: core.CheckpointContext, describe: Callable[[], Mapping[str, Any]]) -> None:
        self._checkpoints, self._describe = checkpoints, describe

    def store_path(
        self, metadata: Mapping[str, Any] | None = None, *, shard: bool = False
    ) -> contextlib.AbstractContextManager[tuple[pathlib.Path, str]]:
        """As Determined's."""
        return self._checkpoints.store_path({**self._describe(), **(metadata or {})}, shard=shard)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._checkpoints, name)


class _Controller(pytorch._PyTorchTrialController):
    """Adds what every process must do before the chief saves, keeps the working directory out of checkpoints, loads
    stock mmengine's checkpoints too, and leaves a validation for a stop: the run that goes on makes it first.
    """

    trial: MMDetTrial
    code: pathlib.Path | None = None
    validate_now: Callable[[int], bool]
    before_checkpoint: Callable[[], None]

    def _validation_is_current(self) -> bool:
        # Determined would validate at the end of training in any case; some loops do not (a late val_begin). It would
        # also take the master's word for a validation whose outcome the checkpoint that we go on from does not have.
        batches = cast(pytorch._TrialState, self.state).batches_trained
        made = self.trial.last_validation.get("steps_completed") == batches
        return made or not self.validate_now(batches)

    def _validate(self) -> dict[str, Any]:
        if not self.trial.stop_pending():
            with contextlib.suppress(Left):
                metrics: dict[str, Any] = super()._validate()
                return metrics
        self._stop_requested()  # tells the master that we obey
        raise pytorch._ShouldExit()

    def _make_up(self) -> None:
        """Make the validation that a stop has prevented, and save its outcome, as if there had been no stop."""
        if self._validation_is_current():
            return
        self._validate()
        self._checkpoint(already_exiting=False)
        self._stop_requested()
        self.context.reset_reducers()
        if self.is_chief:
            self.core_context.train.set_status("training")

    def _train(self, length: pytorch.TrainUnit, train_boundaries: list[pytorch._TrainBoundary]) -> None:
        pump = self.trial.pump
        complete = self._steps_until_complete(length) <= 0
        if complete or pump.finished:
            pump.arrive()  # the loop will not be asked for a batch
        if pump.finished and not complete:
            raise pytorch._ShouldExit()  # a hook of the run that we go on from has ended it
        super()._train(length, train_boundaries)

    def _checkpoint(self, already_exiting: bool) -> None:
        for callback in self.callbacks.values():
            if isinstance(callback, MMDetCallback):
                callback.gather()
        if self.is_chief:
            self.before_checkpoint()
        super()._checkpoint(already_exiting)

    def _load(self, load_path: pathlib.Path) -> None:
        if load_path.is_file():
            batches = take_over(self.trial.runner, self.trial.pump, load_path)
            self.state = pytorch._TrialState(trial_id=self.trial_id, batches_trained=batches)
            return
        check_plain(load_path / "trial_state.pkl")
        self.trial.arrived = self._make_up
        super()._load(load_path)

    def _save(self, path: pathlib.Path) -> None:
        with _user_code(self.code):
            super()._save(path)


@contextlib.contextmanager
def _user_code(code: pathlib.Path | None) -> Iterator[None]:
    """Determined copies a directory of its container into every checkpoint; off-cluster there is only ours."""
    original = constants.MANAGED_TRAINING_MODEL_COPY
    constants.MANAGED_TRAINING_MODEL_COPY = str(code) if code else original
    try:
        yield
    finally:
        constants.MANAGED_TRAINING_MODEL_COPY = original


def run(trial: MMDetTrial, plan: Plan, *, latest_checkpoint: str | None) -> None:
    """Train `trial` to the end of its loop, or until the core context asks for a stop; then save and return."""
    context = trial.context
    controller = _Controller(
        trial_inst=trial,
        context=context,
        checkpoint_period=pytorch.Batch(Moments(plan.checkpoint)),
        validation_period=pytorch.Batch(Moments(plan.validate)),
        reporting_period=pytorch.Batch(Moments(plan.report)),
        smaller_is_better=plan.smaller_is_better,
        steps_completed=context._steps_completed,
        latest_checkpoint=latest_checkpoint,
        local_training=False,
        test_mode=False,
        searcher_metric_name=plan.metric,
        checkpoint_policy=plan.policy,
        step_zero_validation=plan.initial_validation,
        max_length=pytorch.Batch(plan.length),
        global_batch_size=context.get_global_batch_size(),
        profiling_enabled=plan.profiling,
    )
    controller.code = plan.code
    context._core.checkpoint = _described(context._core.checkpoint, trial, plan)
    controller.validate_now = plan.validate
    controller.before_checkpoint = plan.before_checkpoint
    controller.run()
    if trial.pump.finished and controller._validation_is_current():
        trial.pump.finish()


def _described(checkpoints: core.CheckpointContext, trial: MMDetTrial, plan: Plan) -> core.CheckpointContext:
    described = _Described(checkpoints, lambda: {**plan.metadata, "validation": dict(trial.last_validation)})
    return cast(core.CheckpointContext, described)
