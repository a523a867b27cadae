"""`check`: everything but the training, one step after another, each with ✓ or ✗."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.text import Text

from model_def.errors import Problem, UserError
from model_def.experiment import Experiment, load_experiment
from model_def.report.console import make_console
from model_def.report.plan import describe, parameters
from model_def.report.quiet import quiet

if TYPE_CHECKING:
    from model_def.compose import Composed
    from model_def.runner import ParkedRunner

_Value = TypeVar("_Value")
Steps = Iterator[tuple[str, Callable[[], str]]]


@dataclasses.dataclass(kw_only=True)
class DryRun:
    """The steps in order. Each fills in what the next ones need, and returns what there is to tell about it.

    Attributes:
        file, assignments: what `train` would be given.
        work_dir: where mmengine may write.
    """

    file: Path
    assignments: Sequence[str]
    work_dir: Path
    _experiment: Experiment | None = None
    _composed: Composed | None = None
    _runner: ParkedRunner | None = None
    _parked: ParkedRunner | None = None
    _bad_data: bool = False

    def steps(self) -> Steps:
        """The name of each step and what it does; it raises UserError for what must be mended.

        To be run one by one, as they come: the data's steps are those of the config.
        """
        yield "experiment", self.read
        yield "config", self.assemble
        yield "batch", self.divide
        yield "model", self.build_model
        yield from self._data()
        yield "training", self.park
        yield "weights", self.load_weights
        yield "metric", self.find_metric

    @property
    def experiment(self) -> Experiment:
        """What `read` found.

        Raises:
            NotTried: it failed.
        """
        return _needed(self._experiment)

    @property
    def composed(self) -> Composed:
        """What `assemble` made.

        Raises:
            NotTried: it failed.
        """
        return _needed(self._composed)

    def read(self) -> str:
        """The YAML file and the assignments."""
        self._experiment = load_experiment(self.file, self.assignments)
        return self.experiment.name

    def assemble(self) -> str:
        """The MMDetection config."""
        from model_def.compose import compose

        self._composed = compose(self.experiment, slots=self.experiment.slots_per_trial)
        return "\n".join([self.experiment.hyperparameters.config_file, *self._composed.notes])

    def divide(self) -> str:
        """The batch size over the slots (`compose` refuses what doesn't divide)."""
        slots, per_slot = max(self.experiment.slots_per_trial, 1), self.composed.config.train_dataloader.batch_size
        return f"{self.experiment.hyperparameters.global_batch_size} images = {slots} × {per_slot}"

    def build_model(self) -> str:
        """The model and its hooks, with random weights."""
        from model_def.building import building
        from model_def.runner import build_runner
        from model_def.weights import without_downloads

        offline = without_downloads(self.composed.config)
        with building("model", self.composed, self.experiment):
            self._runner = build_runner(offline, work_dir=self.work_dir, distributed=False)
        return f"{type(self._runner.model).__name__}, {parameters(self._runner.model)}"

    def _data(self) -> Steps:
        """Annotations and images, with all that is checked before a training."""
        from model_def.checks import data_steps

        if self._composed is None:
            yield "data", _not_tried
            return
        told: list[Problem] = []
        for step in data_steps(self.composed.config, self.experiment):
            yield "data", functools.partial(self._look, step.name, step.run, told)

    def _look(self, name: str, look: Callable[[], str], told: list[Problem]) -> str:
        try:
            return f"{name}: {look()}"
        except UserError as error:
            self._bad_data = True
            new = [problem for problem in error.problems if problem not in told]
            told.extend(new)
            raise UserError.of(new) if new else NotTried from error

    def park(self) -> str:
        """The rest that a training sets up: data sets, loop, optimizer, schedule, weight initialisation."""
        from model_def.building import building
        from model_def.weights import place

        runner = _needed(None if self._bad_data else self._runner)
        with building("data, optimizer or schedule", self.composed, self.experiment):
            runner.park()
        runner.weights_place = place(self.experiment)
        self._parked = runner
        rows = dict(describe(runner, experiment=self.experiment, output=None).rows)
        return "\n".join([rows["data"], rows["length"], rows["optimizer"]])

    def load_weights(self) -> str:
        """Where the weights come from, and how well they fit if they are on this disk: nothing is downloaded."""
        from model_def.compose.tree import dicts
        from model_def.weights import is_url, source

        wanted = source(self.experiment) or self.composed.config.get("load_from")
        if not wanted:
            found = [
                node for _, node in dicts(self.composed.config.to_dict()["model"]) if node.get("type") == "Pretrained"
            ]
            names = ", ".join(str(node.get("checkpoint")) for node in found)
            return f"{names} (not downloaded)" if names else "the model's own initialisation"
        if is_url(wanted):
            return f"{wanted} (not downloaded)"
        runner = _needed(self._parked)
        runner.load_checkpoint(wanted)
        return f"{wanted}: {runner.loaded}"

    def find_metric(self) -> str:
        """The evaluators, and whether they report the searcher's metric, as far as that is known beforehand."""
        from model_def.metric import check_metric

        loop = _needed(self._parked).val_loop
        if loop is None:
            return "no validation"
        known = check_metric(loop.evaluator, self.experiment)
        return self.experiment.searcher.metric + ("" if known else " (the first validation will tell)")


class NotTried(Exception):
    """A step needs what an earlier one failed to make."""


def dry_run(file: Path, assignments: Sequence[str], console: Console | None = None) -> int:
    """Try each step and print how it went; the exit code is 0 or 2."""
    console = console or make_console()
    with quiet(console), tempfile.TemporaryDirectory() as work_dir:
        steps = DryRun(file=file, assignments=assignments, work_dir=Path(work_dir)).steps()
        results = [_attempt(name, step, console) for name, step in steps]
    return 0 if all(results) else 2


def _attempt(name: str, step: Callable[[], str], console: Console) -> bool:
    try:
        _print(console, "✓", name, step(), style="green")
        return True
    except NotTried:
        _print(console, "–", name, "not tried", style="dim")
    except UserError as error:
        _print(console, "✗", name, str(error), style="red")
    return False


def _print(console: Console, mark: str, name: str, text: str, *, style: str) -> None:
    first, *more = text.splitlines()
    console.print(Text.assemble((mark, style), f" {name:<12}{first}"))
    for line in more:
        console.print(Text(f"{'':14}{line}"))


def _not_tried() -> str:
    raise NotTried


def _needed(value: _Value | None) -> _Value:
    if value is None:
        raise NotTried
    return value
