"""`check`: everything but the training, one step after another, each with ✓, ✗ or –."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from model_def import container_image, samples
from model_def.errors import Problem, UserError
from model_def.experiment import Unfinished, load_experiment
from model_def.experiment_types import Experiment
from model_def.mistakes import check_rest

if TYPE_CHECKING:
    from torch import nn

    from model_def.compose import Composed
    from model_def.runner import ParkedRunner

_Value = TypeVar("_Value")
Steps = Iterator[tuple[str, Callable[[], str]]]
# Rows of the plan that other steps have told, or that only a training has.
TOLD = ("config", "model", "weights", "device", "output")


class NotTried(Exception):
    """A step can't be tried; says why."""


@dataclasses.dataclass(kw_only=True)
class DryRun:
    """The steps in order. Each fills in what the next ones need, and returns what there is to tell about it.

    Attributes:
        file, assignments: what `train` would be given.
        work_dir: where mmengine may write.
        run: whether to train and predict once.
    """

    file: Path
    assignments: Sequence[str]
    work_dir: Path
    run: bool = False
    _experiment: Experiment | None = None
    _rest: Experiment | None = None
    _composed: Composed | None = None
    _model: nn.Module | None = None
    _parked: ParkedRunner | None = None
    _bad_data: bool = False

    def steps(self) -> Steps:
        """The name of each step and what it does; it raises UserError for what must be mended.

        To be run one by one, as they come: the data's steps are those of the config.
        """
        yield "experiment", self.read
        yield "config", self.assemble
        if self._experiment and samples.count(self._experiment.raw["hyperparameters"]) > 1:
            yield "search", self.draw
        yield "components", self.look_up
        yield "batch", self.divide
        yield "model", self.build_model
        yield "memory", self.count_memory
        yield "weights", self.compare_weights
        yield from self._data()
        if self._bad_data:
            yield "schedule", self.draw_schedule
        yield "training", self.park
        yield "metric", self.find_metric
        if (own := self._experiment) and container_image.named(own.raw.get("environment")):
            yield "image", functools.partial(container_image.look_up, own.raw["environment"], own.source)
        if self.run:
            yield "run", self.run_once

    @property
    def experiment(self) -> Experiment:
        """What `read` found.

        Raises:
            NotTried: it failed.
        """
        return _needed(self._experiment, "experiment")

    @property
    def composed(self) -> Composed:
        """What `assemble` made.

        Raises:
            NotTried: it failed.
        """
        return _needed(self._composed, "config")

    def read(self) -> str:
        """The YAML file and the assignments."""
        try:
            self._experiment = load_experiment(self.file, self.assignments, sample=0)
        except Unfinished as error:
            self._rest = error.rest
            raise
        draw = samples.drawn(self.experiment.raw["hyperparameters"], 0)
        return self.experiment.name + (f"\na draw of its search: {draw}" if draw else "")

    def assemble(self) -> str:
        """The MMDetection config, its components compared with the registries."""
        check_rest(self._rest)
        experiment = self.experiment
        from model_def.compose import compose

        self._composed = compose(experiment, slots=experiment.slots_per_trial)
        return "\n".join([experiment.hyperparameters.config_file, *self._composed.notes])

    def draw(self) -> str:
        """The other draws of the search, each assembled."""
        from model_def.draws import assemble_others

        number = assemble_others(self.file, self.assignments, self.experiment.raw["hyperparameters"])
        return f"{number} draws assemble: the ends of each range, every value of each choice"

    def look_up(self) -> str:
        """How many components there are: `compose` refuses one that nobody has registered, or a wrong argument."""
        from model_def.compose.tree import dicts

        types = [str(node["type"]) for _, node in dicts(self.composed.config.to_dict()) if node.get("type")]
        return f"{len(types)}, of {len(set(types))} types; each takes its arguments"

    def divide(self) -> str:
        """The batch size over the slots (`compose` refuses what doesn't divide)."""
        slots, per_slot = max(self.experiment.slots_per_trial, 1), self.composed.config.train_dataloader.batch_size
        return f"{self.experiment.hyperparameters.global_batch_size} images = {slots} × {per_slot}"

    def build_model(self) -> str:
        """The model, its parameters without values."""
        config = self.composed.config
        from model_def.building import building
        from model_def.report.plan import parameters
        from model_def.uninitialised import build_uninitialised

        with building("model", self.composed, self.experiment):
            self._model = build_uninitialised(config)
        return f"{type(self._model).__name__}, {parameters(self._model)}"

    def count_memory(self) -> str:
        """What the model and its optimizer need, and what the zoo says about the whole."""
        model = _needed(self._model, "model")
        from model_def.building import building
        from model_def.compose.find import find_config
        from model_def.memory import of_config
        from model_def.published import training_memory

        config = self.composed.config.to_dict()
        with building("optimizer", self.composed, self.experiment):
            memory = of_config(model, config)
        told = [f"in each process {memory}", *([] if self.run else ["activations come on top; --run measures them"])]
        file = find_config(self.experiment.hyperparameters.config_file, context=self.experiment.directory, where="")
        return "\n".join([*told, *training_memory(file, self.composed.layers[0].config)])

    def compare_weights(self) -> str:
        """Where the weights come from, and how well they fit if they are on this disk: nothing is downloaded."""
        from model_def.weights.compare import compared

        return compared(self.experiment, self.composed.config, lambda: _needed(self._model, "model"))

    def _data(self) -> Steps:
        """Annotations and images, with all that is checked before a training."""
        if self._composed is None:
            yield "data", lambda: str(self.composed)
            return
        from model_def.checks import data_steps

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
            if not new:
                raise NotTried(f"{name} (see above)") from error
            raise UserError.of(new) from error

    def draw_schedule(self) -> str:
        """What `park` would tell of the length, as far as it doesn't depend on the data."""
        from model_def.report.without_data import schedule

        size = self.experiment.hyperparameters.global_batch_size
        return schedule(self.composed.config.to_dict(), size, self.experiment.directory)

    def park(self) -> str:
        """What a training sets up: data sets, loop, optimizer, hooks and schedule."""
        if self._bad_data:
            raise NotTried("the data has to be there")
        _needed(self._model, "model")
        from model_def.building import building
        from model_def.report.plan import describe
        from model_def.uninitialised import parked
        from model_def.watching.watch import watched

        slots = max(self.experiment.slots_per_trial, 1)
        with building("data, optimizer or schedule", self.composed, self.experiment):
            self._parked = parked(self.composed.config, work_dir=self.work_dir, values=self.run, processes=slots)
        watched(self._parked, self.experiment)
        plan = describe(self._parked, experiment=self.experiment, output=None)
        return "\n".join(text for label, text in plan.rows if label not in TOLD)

    def find_metric(self) -> str:
        """The evaluators, and whether they report the searcher's metric, as far as that is known beforehand."""
        config = self.composed.config.to_dict()
        from model_def.building import building
        from model_def.metric import check_metric, loop_without_data

        if not config.get("val_cfg"):
            return "no validation"
        with building("evaluator", self.composed, self.experiment):
            try:
                loop = self._parked.val_loop if self._parked else loop_without_data(config)
            except (OSError, ValueError) as error:
                raise NotTried("an evaluator reads its annotations at once") from error
        known = check_metric(loop, self.experiment)
        return self.experiment.searcher.metric + ("" if known else " (the first validation will tell)")

    def run_once(self) -> str:
        """A step and a prediction, on the experiment's data or else on random images."""
        model = _needed(self._model, "model")
        from model_def.building import building
        from model_def.one_step import one_step
        from model_def.random_data import in_words, lacking, random_config
        from model_def.uninitialised import parked

        if not self._parked and (more := lacking(self.composed.config)):
            raise NotTried(f"{type(model).__name__} learns from {more}, which only your data has")
        config = self.composed.config if self._parked else random_config(self.composed.config)
        runner = self._parked if self.experiment.slots_per_trial <= 1 else None  # else its batches are all processes'
        with building("model, optimizer or schedule", self.composed, self.experiment):
            runner = runner or parked(config, work_dir=self.work_dir, values=True)
        words = "your data" if self._parked else f"{in_words(config)} (there is no data)"
        return f"{words}, {one_step(runner)}"


def _needed(value: _Value | None, step: str) -> _Value:
    if value is None:
        raise NotTried(f"it needs `{step}`")
    return value
