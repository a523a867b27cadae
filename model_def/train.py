"""Trains one experiment in this process: off a cluster for the command line, on it as the trial's entry point."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
import time
from collections.abc import Callable, Sequence

import yaml
from determined import core, pytorch
from mmengine.hooks import Hook

from model_def import lasting, takeover
from model_def.checks.coming import DataChecks
from model_def.compose import Composed, compose, write_config
from model_def.errors import MMDetTrialError
from model_def.experiment_types import Experiment
from model_def.fit import fit
from model_def.platform import processes
from model_def.platform.cluster import (
    cluster_context,
    cluster_experiment,
    cluster_platform,
    ends_after,
    wait_for_end,
)
from model_def.platform.detached import shown_by
from model_def.platform.local import Enough, local_notes, local_platform, never
from model_def.platform.run_directory import RunDirectory
from model_def.platform.warm_start import begun_with, refuse_off_cluster
from model_def.report.console import make_console, say
from model_def.report.progress import ProgressHook
from model_def.report.quiet import quiet
from model_def.watching import watching
from model_def.weights import with_pretrained

TEST = "`det experiment create --test`: one batch, one validation and one checkpoint, whatever the config says"
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
    enough: Enough = never,
    master: str | None = None,
) -> Outcome:
    """Train off-cluster: in this process alone, or as one of torchrun's.

    Args:
        experiment: what to train.
        output: the run's directory, made if it is not there; with several processes the first one's counts.
        resume: a checkpoint's directory, of this run or another one of the same experiment, or a file that stock
            mmengine has written.
        hooks: makes hooks for the Runner (the progress line), given what is trained and the run's directory.
        enough: asked after each validation whether to stop there.
        master: the URL of a Determined master that shows the run.

    Raises:
        UserError: a mistake in the input, found before anything was written.
        TrainingError: training itself failed.
        Stopped: a signal asked for a stop; everything is saved.
    """
    distributed = processes.join()
    try:
        shown = shown_by(master, experiment, chief=distributed.rank == 0)
        with processes.failing_together(distributed), shown as train_context:
            refuse_off_cluster(experiment)
            composed, checks = _composed(experiment, distributed)
            composed = dataclasses.replace(composed, notes=(*composed.notes, *_told(experiment, resume)))
            checks.early()
            output = pathlib.Path(distributed.broadcast(str(output)))
            run = _run_directory(experiment, composed, output, distributed)
            place = local_platform(
                experiment, run, distributed, resume=resume, enough=enough, train_context=train_context
            )
            with place as platform:
                watched = watching(platform.context, experiment)
                fit(experiment, composed, platform, hooks=[*hooks(composed, output), *watched], before_data=checks.late)
        return Outcome(output=output, best=run.best(), chief=distributed.rank == 0)
    finally:
        processes.leave()


def _composed(experiment: Experiment, distributed: core.DistributedContext) -> tuple[Composed, DataChecks]:
    """The config with its weights, and the checks of its data, whose files come meanwhile."""
    composed = compose(experiment, slots=distributed.size)
    checks = DataChecks(composed.config, experiment)
    return with_pretrained(composed, experiment), checks


def _told(experiment: Experiment, resume: pathlib.Path | None) -> tuple[str, ...]:
    """What is to be said of a run here, beside its config's notes."""
    stock = takeover.notes(resume, seed=experiment.seed) if resume is not None and resume.is_file() else ()
    return (*local_notes(experiment), *stock)


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
        keep_best=max(experiment.save_trial_best, experiment.save_experiment_best),  # it is the only trial
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
        experiment = begun_with(experiment, platform.warm_start)
        composed, checks = _composed(experiment, context.distributed)
        checks.early()
        notes = (*composed.notes, *([TEST] if platform.batches else ()))
        progress = ProgressHook(experiment=experiment, output=None, notes=notes, console=console)
        fit(experiment, composed, platform, hooks=[progress, *watching(context, experiment)], before_data=checks.late)


def train_or_tell(context: pytorch.PyTorchTrialContext) -> int:
    """Train as `train_on_cluster`; what a restart can't mend is told and ends the trial. Returns the exit code.

    Raises:
        Exception: what a restart may mend. The master starts the trial again.
    """
    try:
        with processes.failing_together(context.distributed):
            train_on_cluster(context)
    except Exception as error:
        if not lasting.lasts(error):
            raise
        return _fail(error, context)
    return 0


def _fail(error: Exception, context: pytorch.PyTorchTrialContext) -> int:
    known = error if isinstance(error, MMDetTrialError) else None
    message, agreed = lasting.message(error), known.speaker if known else None
    lasting.tell_launcher(message)
    if agreed is False:
        time.sleep(1)  # the launcher ends the speaker as soon as this process has ended
    else:
        say(message, agreed=bool(agreed))
    if not ends_after(message):
        wait_for_end(context, report=agreed is not False)
    return known.exit_code if known else 1


def main() -> int:
    """The entry point on a cluster; returns the exit code."""
    try:
        with cluster_context() as context:
            return train_or_tell(context)
    except MMDetTrialError as error:
        say(str(error))
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
