"""The progress line and the table of validations, as a hook of mmengine's Runner."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.hooks import Hook
from rich.console import Console
from rich.live import Live
from rich.text import Text

from model_def.evaluate.names import name_prefixes, reported
from model_def.peak_memory import peak_memory
from model_def.report.console import make_console
from model_def.report.learning import epochs
from model_def.report.pace import Pace, clock
from model_def.report.plan import describe
from model_def.report.table import Validation, ValidationTable, read_validations

if TYPE_CHECKING:
    from mmengine.runner import Runner

    from model_def.experiment_types import Experiment

_LIVE_PERIOD = 0.25  # seconds between two updates of the line on a terminal
_PLAIN_PERIOD = 10.0, 60.0  # seconds between two lines elsewhere: at first, and in a long training
_WINDOW = 20  # iterations that the shown loss and times are the mean of
_VALIDATION_GUESS = 0.5  # iterations that one batch of validation is taken to cost before it is measured


class ProgressHook(Hook):
    """Prints the plan, then one line that keeps up with the training, then a row for each validation.

    It only reads what mmengine's own hooks have put into the MessageHub, at most four times a second, and never a
    tensor, so that it costs no synchronisation with a GPU. It is silent on every rank but the first.
    """

    priority = "VERY_LOW"

    def __init__(
        self,
        *,
        experiment: Experiment,
        output: Path | None,
        notes: Sequence[str] = (),
        console: Console | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._experiment = experiment
        self._output = output
        self._notes = notes
        self._console = console or make_console()
        self._now = now
        self._live: Live | None = None
        self._pace = Pace()
        self._started = self._shown = now()
        self._table = ValidationTable(
            metric=experiment.searcher.metric,
            smaller_is_better=experiment.searcher.smaller_is_better,
            width=self._console.width if self._console.is_terminal else 120,
        )

    def before_train(self, runner: Runner) -> None:
        """Print the plan, and open the progress line on a terminal."""
        describe(runner, experiment=self._experiment, output=self._output, notes=self._notes).print(self._console)
        if self._output is not None:
            self._table.validations = read_validations(self._output / "metrics.jsonl")
        if runner.val_loop is not None:
            self._pace.pause_guess = _VALIDATION_GUESS * len(runner.val_loop.dataloader)
        self._started = self._shown = self._now()
        if self._console.is_terminal and not self._console.quiet:
            # Warnings go above the line; standard output is left to `quiet`.
            self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
            self._live.start()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Training goes on after a validation, if there was one."""
        self._pace.resume(self._now())

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Move the progress line on, if it is time to."""
        self._pace.iteration(self._now())
        if self._is_due():
            self._pace.pauses_left = validations_left(runner, self._experiment)
            self._show(_training_line(runner, self._pace))

    def before_val(self, runner: Runner) -> None:
        """The clock of the training iterations stops."""
        self._pace.pause(self._now())

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] | None = None
    ) -> None:
        """Move the progress line on, if it is time to."""
        if self._is_due():
            self._show(f"validation · batch {batch_idx + 1}/{len(runner.val_loop.dataloader)}")

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Print this validation's row."""
        named = reported(runner.val_loop.evaluator, metrics or {}, name_prefixes(runner.val_loop))
        lines = self._table.add(Validation(steps_completed=runner.iter, epoch=_epoch(runner), metrics=named))
        self._console.print(Text("\n".join(lines)))

    def after_run(self, runner: Runner) -> None:
        """Close the progress line."""
        self.close()

    def close(self) -> None:
        """Take the progress line away and give the cursor and standard error back. May be called more than once.

        An error ends a training without `after_run`: whoever made the hook closes it then.
        """
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _is_due(self) -> bool:
        first, last = _PLAIN_PERIOD
        now = self._now()
        period = _LIVE_PERIOD if self._live else min(max(first, (now - self._started) / 60), last)
        if now - self._shown < period:
            return False
        self._shown = now
        return True

    def _show(self, line: str) -> None:
        if self._live is not None:
            short = shortened(line, self._console.width)
            self._live.update(Text(short, no_wrap=True, overflow="ellipsis"), refresh=True)
        else:
            self._table.repeat_heading()
            self._console.print(Text(line))


def _epoch(runner: Runner) -> float:
    """Epochs that are behind us: whole ones for an epoch-based loop, else a number with two decimals."""
    return int(runner.epoch) if epochs(runner) else round(runner.iter / len(runner.train_dataloader), 2)


def validations_left(runner: Runner, experiment: Experiment) -> int:
    """How many validations are to come: by the loop or by the YAML's period, whichever is more (they may coincide)."""
    loop, period = runner.train_loop, experiment.min_validation_period
    if runner.val_loop is None:
        return 0
    done, end = (loop.epoch, loop.max_epochs) if epochs(runner) else (loop.iter, loop.max_iters)
    by_loop = int(-(-end // loop.val_interval) - max(done, loop.val_begin - 1) // loop.val_interval)
    if period is None or period.value < 1:
        return by_loop
    batch = experiment.hyperparameters.global_batch_size
    size = {"batches": 1, "epochs": len(loop.dataloader), "records": 1 / batch}[period.unit] * period.value
    return max(by_loop, int(loop.max_iters // size - loop.iter // size))


def _training_line(runner: Runner, pace: Pace) -> str:
    """`epoch 3/15 · batch 12/31 · ETA 1:12 · loss 0.812 · lr 0.0019 · data 0.004 s of 0.25 s · 731 MB`."""
    done = runner.iter + 1  # the loop counts this iteration after its hooks
    batches, last = len(runner.train_dataloader), epochs(runner)
    where = f"epoch {runner.epoch + 1}/{last} · batch {(done - 1) % batches + 1}/{batches}"
    parts = [
        where if last else f"batch {done:,}/{runner.max_iters:,}",
        f"ETA {clock(pace.eta(runner.max_iters - done))}",
    ]
    scalars = {name: _recent(runner, name) for name in ("loss", "lr", "data_time", "time")}
    if scalars["loss"] is not None:
        parts.append(f"loss {scalars['loss']:.3f}")
    if scalars["lr"] is not None:
        parts.append(f"lr {scalars['lr']:.2g}")
    if scalars["time"] is not None and scalars["data_time"] is not None:
        parts.append(f"data {scalars['data_time']:.3f} s of {scalars['time']:.2f} s")
    return " · ".join([*parts, f"{peak_memory() / 1e6:,.0f} MB"])


def shortened(line: str, width: int) -> str:
    """`3/15  12/31  ETA 1:12  loss 0.812  lr 0.0019  data 0.004/0.25 s  731 MB` where the line doesn't fit.

    Two columns are left for the `^C` of a terminal.
    """
    if len(line) <= width - 2:
        return line
    return line.replace(" · ", "  ").replace("epoch ", "").replace("batch ", "").replace(" s of ", "/")


def _recent(runner: Runner, name: str) -> float | None:
    """The mean of a training scalar over the last iterations (the learning rate: its current value)."""
    buffer = runner.message_hub.log_scalars.get(f"train/{name}")
    if buffer is None or not len(buffer.data[0]):
        return None
    return float(buffer.current() if name == "lr" else buffer.mean(_WINDOW))
