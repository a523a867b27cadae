"""Trains one experiment in this process: off a cluster for the command line, on it as the trial's entry point."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Callable, Sequence

import yaml
from determined import core, pytorch
from mmengine.hooks import Hook

from model_def import takeover
from model_def.checks import check_data
from model_def.compose import Composed, compose, write_config
from model_def.errors import MMDetTrialError
from model_def.experiment_types import Experiment
from model_def.fit import fit
from model_def.platform import processes
from model_def.platform.cluster import cluster_context, cluster_experiment, cluster_platform
from model_def.platform.local import local_platform
from model_def.platform.run_directory import RunDirectory
from model_def.report.console import make_console
from model_def.report.progress import ProgressHook
from model_def.report.quiet import quiet
from model_def.weights import with_pretrained

Hooks = Callable[[Composed, pathlib.Path], Sequence[Hook]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a finished run leaves.

    Attributes:
        output: the run's directory.
        best: the best value of the searcher's metric and the batches it was measured at; None without validation.
        chief: whether this process is the one that reports.
    """

    output: pathlib.Path
    best: tuple[float, int] | None
    chief: bool


def train(
    experiment: Experiment,
    *,
    output: pathlib.Path,
    resume: pathlib.Path | None = None,
    hooks: Hooks = lambda composed, output: (),
) -> Outcome:
    """Train off-cluster: in this process alone, or as one of torchrun's.

    Args:
        experiment: what to train.
        output: the run's directory, made if it is not there; with several processes the first one's counts.
        resume: a checkpoint's directory, of this run or another one of the same experiment, or a file that stock
            mmengine has written.
        hooks: makes hooks for the Runner (the progress line), given what is trained and the run's directory.

    Raises:
        UserError: a mistake in the input, found before anything was written.
        TrainingError: training itself failed.
        Stopped: a signal asked for a stop; everything is saved.
    """
    distributed = processes.join()
    try:
        with processes.failing_together(distributed):
            composed = with_pretrained(compose(experiment, slots=distributed.size), experiment)
            if resume is not None and resume.is_file():
                told = takeover.notes(resume, seed=experiment.seed)
                composed = dataclasses.replace(composed, notes=(*composed.notes, *told))
            check_data(composed.config, experiment)
            output = pathlib.Path(distributed.broadcast(str(output)))
            run = _run_directory(experiment, composed, output, distributed)
            with local_platform(experiment, run, distributed, resume=resume) as platform:
                fit(experiment, composed, platform, hooks=hooks(composed, output))
        return Outcome(output=output, best=run.best(), chief=distributed.rank == 0)
    finally:
        processes.leave()


def _run_directory(
    experiment: Experiment, composed: Composed, output: pathlib.Path, distributed: core.DistributedContext
) -> RunDirectory:
    if distributed.rank == 0:
        output.mkdir(parents=True, exist_ok=True)
        (output / "experiment.yaml").write_text(yaml.safe_dump(experiment.raw, sort_keys=False, allow_unicode=True))
        write_config(composed.config, output / "config.py")
    return RunDirectory(
        output,
        metric=experiment.searcher.metric,
        smaller_is_better=experiment.searcher.smaller_is_better,
        keep_best=experiment.save_trial_best,
        keep_latest=experiment.save_trial_latest,
    )


def train_on_cluster(context: pytorch.PyTorchTrialContext) -> None:
    """Train the trial that this container was started for, and print its progress into the trial's log.

    Raises:
        UserError: a mistake in the input.
        TrainingError: training itself failed.
    """
    experiment = cluster_experiment()
    console = make_console()
    with quiet(console), cluster_platform(context) as platform:
        composed = with_pretrained(compose(experiment, slots=context.distributed.size), experiment)
        check_data(composed.config, experiment)
        progress = ProgressHook(experiment=experiment, output=None, notes=composed.notes, console=console)
        fit(experiment, composed, platform, hooks=[progress])


def main() -> int:
    """The entry point on a cluster; returns the exit code."""
    try:
        with cluster_context() as context:
            train_on_cluster(context)
    except MMDetTrialError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
