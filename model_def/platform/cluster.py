"""A trial's place on a Determined cluster."""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator

import determined as det
from determined import pytorch

from model_def.errors import UserError
from model_def.experiment import experiment_from
from model_def.experiment_types import Experiment
from model_def.platform import Platform


def cluster_experiment() -> Experiment:
    """The experiment that this container was started for, hyperparameters sampled.

    Raises:
        UserError: this is no trial on a cluster, or the experiment has a mistake.
    """
    info = _trial_info()
    return experiment_from(info.trial._config, info.trial.hparams)


@contextlib.contextmanager
def cluster_context() -> Iterator[pytorch.PyTorchTrialContext]:
    """Join the trial's processes and its master, as Determined's own launcher of trial classes does."""
    info = _trial_info()
    with pytorch.init(hparams=info.trial.hparams, exp_conf=info.trial._config) as context:
        yield context


@contextlib.contextmanager
def cluster_platform(context: pytorch.PyTorchTrialContext) -> Iterator[Platform]:
    """The place of a trial whose context is there."""
    with tempfile.TemporaryDirectory() as work_dir:
        yield Platform(
            context=context,
            work_dir=pathlib.Path(work_dir),
            latest_checkpoint=_trial_info().latest_checkpoint,
            stop_pending=lambda: False,  # the controller asks the master at each report
            code=None,
        )


def _trial_info() -> det.ClusterInfo:
    info = det.get_cluster_info()
    if info is None or info.task_type != "TRIAL":
        raise UserError(
            what="`python3 -m model_def.train` is the entry point of a trial on a Determined cluster, and this is none",
            next="python -m model_def train EXPERIMENT.yaml",
        )
    return info
