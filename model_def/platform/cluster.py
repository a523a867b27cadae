"""A trial's place on a Determined cluster."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

import determined as det
from determined import core, pytorch, tensorboard

from model_def.errors import UserError
from model_def.experiment import experiment_from
from model_def.experiment_types import Experiment
from model_def.platform import Platform
from model_def.platform.warm_start import warm_start
from model_def.platform.wishes import wishes

_PATIENCE = 20  # seconds until we exit by ourselves after all


def cluster_experiment() -> Experiment:
    """The experiment that this container was started for, hyperparameters sampled.

    Raises:
        UserError: this is no trial on a cluster, or the experiment has a mistake.
    """
    info = _trial_info()
    config = dict(info.trial._config)
    if _is_test(config):
        config["searcher"] = {key: value for key, value in config["searcher"].items() if key != "max_length"}
    return experiment_from(config, info.trial.hparams)


@contextlib.contextmanager
def cluster_context() -> Iterator[pytorch.PyTorchTrialContext]:
    """Join the trial's processes and its master, as Determined's own launcher of trial classes does."""
    info = _trial_info()
    with pytorch.init(hparams=info.trial.hparams, exp_conf=info.trial._config) as context:
        yield context


@contextlib.contextmanager
def cluster_platform(context: pytorch.PyTorchTrialContext) -> Iterator[Platform]:
    """The place of a trial whose context is there.

    Raises:
        WeightsError: the checkpoint of another trial that this one begins with is none of ours.
    """
    info = _trial_info()
    start = warm_start(context._core.checkpoint, info.trial, info.latest_checkpoint)
    with tempfile.TemporaryDirectory() as work_dir, wishes(context, info) as asked:
        yield Platform(
            context=context,
            work_dir=pathlib.Path(work_dir),
            latest_checkpoint=None if start else info.latest_checkpoint,
            warm_start=start,
            stop_pending=asked.stop,
            before_checkpoint=functools.partial(_upload, context),
            code=None,
            batches=1 if _is_test(info.trial._config) else None,
        )
        if context.distributed.rank == 0:
            _upload(context)


def _upload(context: pytorch.PyTorchTrialContext) -> None:
    """Let the cluster's TensorBoard have all that was written.

    Determined uploads once in a second at most, and not at the end. What a process wrote since then would be lost with
    it, and would not be trained again if it lies before a checkpoint.
    """
    context.get_tensorboard_writer().flush()
    manager = getattr(context._core.train, "_tensorboard_manager", None)  # Determined's dummy services have none
    if manager is not None:
        manager._sync(mangler=tensorboard.util.get_rank_aware_path)


def ends_after(message: str) -> bool:
    """Whether the master lets a trial end that fails after this message, and does not start it again."""
    config = _trial_info().trial._config
    return not config.get("max_restarts", 1) or any(_matches(one, message) for one in config.get("log_policies") or ())


def wait_for_end(context: pytorch.PyTorchTrialContext, *, report: bool) -> None:
    """Have the master end this trial where no log policy makes it.

    With an exit code other than 0 it would start the trial again, and 0 would be success. After this report it waits 10
    seconds, kills what still runs of the trial and does not start it again; the trial counts as canceled.

    Args:
        context: of this process.
        report: whether this process is the one that reports.
    """
    if report:
        context._core.train.report_early_exit(core.EarlyExitReason.INVALID_HP)
    time.sleep(_PATIENCE)


def _is_test(config: Mapping[str, Any]) -> bool:
    """Whether `det experiment create --test` has made this experiment: it counts in batches, whatever a config does."""
    tested = str(config.get("description") or "").startswith("[test-mode] ")
    return tested and config["searcher"].get("max_length") == {"batches": 1}


def _matches(policy: Mapping[str, Any], message: str) -> bool:
    action = policy.get("action")
    if (action.get("type") if isinstance(action, Mapping) else action) != "cancel_retries":
        return False
    try:
        return any(re.search(policy.get("pattern") or "$^", line) for line in message.splitlines())
    except re.error:  # the master's patterns are Go's
        return False


def _trial_info() -> det.ClusterInfo:
    info = det.get_cluster_info()
    if info is None or info.task_type != "TRIAL":
        raise UserError(
            what="`python3 -m model_def.train` is the entry point of a trial on a Determined cluster, and this is none",
            next="python -m model_def train EXPERIMENT.yaml",
        )
    return info
