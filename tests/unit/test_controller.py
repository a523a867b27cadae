"""What is leaned on in Determined's private controller, and how its schedule is asked."""

from __future__ import annotations

import inspect

import determined
from determined import pytorch

from model_def.controller import Moments

# The arguments that `controller.run` passes, as of the pinned release.
ARGUMENTS = {
    "trial_inst", "context", "checkpoint_period", "validation_period", "reporting_period", "smaller_is_better",
    "steps_completed", "latest_checkpoint", "local_training", "test_mode", "searcher_metric_name", "checkpoint_policy",
    "step_zero_validation", "max_length", "global_batch_size", "profiling_enabled",
}  # fmt: skip


def test_the_version_that_was_read():
    """When this fails, read `_PyTorchTrialController` again before changing the number."""
    assert determined.__version__ == "0.38.1"
    parameters = set(inspect.signature(pytorch._PyTorchTrialController.__init__).parameters)
    assert parameters == ARGUMENTS | {"self"}


def test_a_schedule_is_asked_after_every_batch():
    period = pytorch.Batch(Moments(lambda batches: batches in (3, 7)))
    assert [batch for batch in range(1, 9) if period.should_stop(batch)] == [3, 7]
