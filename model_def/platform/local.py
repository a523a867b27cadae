"""The services that a Determined master provides, over files: the core context of a run off-cluster."""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from determined import core, pytorch

from model_def.errors import Stopped, WeightsError
from model_def.experiment_types import Experiment
from model_def.platform import Platform
from model_def.platform.run_directory import RunDirectory
from model_def.platform.signals import LocalPreemptContext
from model_def.platform.system_metrics import LocalProfiler
from model_def.weights.stock import read_stock

# Off-cluster a run directory holds one trial. Determined compares this number with a checkpoint's when it resumes.
TRIAL_ID = 1

# Asked after each validation, with the batches trained and the metrics: whether that is enough.
Enough = Callable[[int, Mapping[str, Any]], bool]


def never(steps_completed: int, metrics: Mapping[str, Any]) -> bool:
    """Train to the end."""
    return False


class LocalTrainContext(core.DummyTrainContext):
    """Takes metrics and progress."""

    def __init__(self, run: RunDirectory, preempt: LocalPreemptContext, enough: Enough) -> None:
        super().__init__(tensorboard_path=run.path / "tensorboard")
        self._run, self._preempt, self._enough = run, preempt, enough
        self._trial_id = TRIAL_ID

    def set_status(self, status: str) -> None:
        """The progress line says it."""

    def report_progress(self, progress: float) -> None:
        """The progress line says it."""

    def upload_tensorboard_files(self, *args: Any, **kwargs: Any) -> None:
        """They are in the run directory already."""

    def report_early_exit(self, reason: core.EarlyExitReason) -> None:
        """The exit code says it."""

    def report_training_metrics(self, steps_completed: int, metrics: dict[str, Any], batch_metrics: Any = None) -> None:
        """One line of `metrics.jsonl`."""
        self._run.record(group="training", steps_completed=steps_completed, metrics=metrics)

    def report_validation_metrics(self, steps_completed: int, metrics: dict[str, Any]) -> None:
        """One line of `metrics.jsonl`; the best checkpoint may be another one now, and it may be enough."""
        self._run.record(group="validation", steps_completed=steps_completed, metrics=metrics)
        self._run.tidy()
        if self._enough(steps_completed, metrics):
            self._preempt.ask()

    def report_metrics(self, group: str, steps_completed: int, metrics: dict[str, Any]) -> None:
        """One line of `metrics.jsonl`."""
        self._run.record(group=group, steps_completed=steps_completed, metrics=metrics)

    def get_experiment_best_validation(self) -> float | None:
        """The best value of the searcher's metric so far."""
        best = self._run.best()
        return best and best[0]

    def _get_last_validation(self) -> int | None:
        return self._run.last_validation()


TrainContext = Callable[[RunDirectory, LocalPreemptContext, Enough], LocalTrainContext]


class LocalCheckpointContext(core.DummyCheckpointContext):
    """Saves below the run directory; a checkpoint's storage id is its path."""

    def __init__(self, dist: core.DistributedContext, run: RunDirectory) -> None:
        self._dist = dist
        self._run = run

    @contextlib.contextmanager
    def store_path(
        self, metadata: dict[str, Any] | None = None, *, shard: bool = False
    ) -> Iterator[tuple[pathlib.Path, str]]:
        """A directory that becomes a checkpoint when the caller is done with it."""
        metadata = metadata or {}
        steps_completed = int(metadata["steps_completed"])
        with self._run.new_checkpoint(steps_completed) as path:
            yield path, str(self._run.checkpoint(steps_completed))
            (path / "metadata.json").write_text(json.dumps(metadata, indent=2))

    @contextlib.contextmanager
    def restore_path(self, storage_id: str, *args: Any, **kwargs: Any) -> Iterator[pathlib.Path]:
        """The checkpoint's directory."""
        yield pathlib.Path(storage_id)


def local_notes(experiment: Experiment) -> tuple[str, ...]:
    """What of the experiment is a cluster's matter, and what happens here."""
    storage = experiment.raw.get("checkpoint_storage") or {}
    if all(value is None or key.startswith("save_") for key, value in storage.items()):
        return ()
    return ("checkpoint_storage is a cluster's: here checkpoints stay in checkpoints/ of the output directory",)


@contextlib.contextmanager
def local_platform(
    experiment: Experiment,
    run: RunDirectory,
    distributed: core.DistributedContext,
    *,
    resume: pathlib.Path | None = None,
    enough: Enough = never,
    train_context: TrainContext | None = None,
) -> Iterator[Platform]:
    """This machine's place for a trial.

    Args:
        experiment: for whoever asks Determined's context for it.
        run: where everything is written.
        distributed: the processes of this run.
        resume: the checkpoint to go on from: its folder, or a file of stock mmengine.
        enough: asked on the first process after each validation; it answers with a stop.
        train_context: what takes metrics and progress, by default `LocalTrainContext`.

    Raises:
        WeightsError: `resume` is not a whole checkpoint.
        Stopped: at the end, if a signal asked for a stop; all is saved by then.
    """
    steps_completed, validated = _reached(resume) if resume else (0, 0)
    if distributed.rank == 0:
        run.recover()
        run.rewind(steps_completed, validated=validated)
    preempt = LocalPreemptContext(distributed)
    services = core.Context(
        distributed=distributed,
        train=(train_context or LocalTrainContext)(run, preempt, enough),
        checkpoint=LocalCheckpointContext(distributed, run),
        preempt=preempt,
        profiler=LocalProfiler(run.path, distributed) if experiment.profiling and distributed.rank == 0 else None,
    )
    with services, _code(run.path) as code:
        context = pytorch.PyTorchTrialContext(
            core_context=services,
            trial_seed=experiment.seed,
            hparams=experiment.raw["hyperparameters"],
            slots_per_trial=distributed.size,
            num_gpus=torch.cuda.device_count(),
            exp_conf=experiment.raw,
            aggregation_frequency=1,
            steps_completed=steps_completed,
            managed_training=True,
            debug_enabled=False,
        )
        yield Platform(
            context=context,
            work_dir=run.path / "mmengine",
            latest_checkpoint=str(resume) if resume else None,
            stop_pending=preempt.pending,
            code=code,
        )
        if preempt.signal_number is not None:
            raise Stopped(str(run.path), signal_number=preempt.signal_number)


@contextlib.contextmanager
def _code(output: pathlib.Path) -> Iterator[pathlib.Path]:
    """A directory with what a checkpoint needs to be understood: never the working directory, whatever that holds."""
    with tempfile.TemporaryDirectory() as code:
        for name in ("experiment.yaml", "config.py"):
            with contextlib.suppress(FileNotFoundError):  # other processes may come before the chief has written them
                shutil.copy(output / name, code)
        yield pathlib.Path(code)


def _reached(checkpoint: pathlib.Path) -> tuple[int, int]:
    """Of a checkpoint, and of the last validation that it knows of."""
    if checkpoint.is_file():
        return (read_stock(checkpoint, mmap=True).iterations,) * 2
    metadata = checkpoint / "metadata.json"
    try:
        content = json.loads(metadata.read_text())
        validation = content.get("validation", content)  # checkpoints did not always say it
        return int(content["steps_completed"]), int(validation.get("steps_completed", 0))
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            what="this is not a whole checkpoint",
            value=str(checkpoint),
            where=f"{metadata}: {error}",
            allowed="a directory below checkpoints/ that a run has written",
            next="ls output/*/*/checkpoints",
        ) from error
