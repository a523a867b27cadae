"""`check`: everything but the training, one step after another, each with ✓ or ✗."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.text import Text

from model_def.building import building
from model_def.errors import UserError
from model_def.experiment import Experiment, load_experiment
from model_def.report.console import make_console
from model_def.report.plan import class_names, parameters
from model_def.report.quiet import quiet

if TYPE_CHECKING:
    from model_def.compose import Composed

_Value = TypeVar("_Value")


@dataclasses.dataclass(kw_only=True)
class DryRun:
    """The steps in order. Each fills in what the next ones need, and returns what there is to tell about it."""

    file: Path
    assignments: Sequence[str]
    _experiment: Experiment | None = None
    _composed: Composed | None = None
    _data_opened: bool | None = None  # the evaluators read the annotations as well

    def steps(self) -> dict[str, Callable[[], str]]:
        """The name of each step and what it does; it raises UserError for what must be mended."""
        return {
            "experiment": self.read,
            "config": self.assemble,
            "batch": self.divide,
            "model": self.build_model,
            "data": self.open_data,
            "weights": self.find_weights,
            "metric": self.find_metric,
        }

    @property
    def experiment(self) -> Experiment:
        """What `read` found.

        Raises:
            NotTried: it failed.
        """
        return _needed(self._experiment)

    @property
    def config(self) -> Any:
        """The config that `assemble` made.

        Raises:
            NotTried: it failed.
        """
        return _needed(self._composed).config

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
        slots, per_slot = self.experiment.slots_per_trial, self.config.train_dataloader.get("batch_size")
        return f"{self.experiment.hyperparameters.global_batch_size} images = {slots} × {per_slot}"

    def build_model(self) -> str:
        """The model, with random weights."""
        from mmdet.registry import MODELS
        from mmdet.utils import register_all_modules

        register_all_modules(init_default_scope=True)
        with building("model"):
            model = MODELS.build(self.config.model)
        return f"{type(model).__name__}, {parameters(model)}"

    def open_data(self) -> str:
        """Annotations and images, with all that is checked before a training."""
        from mmdet.registry import DATASETS

        from model_def.checks import check_data

        check_data(self.config, self.experiment)
        self._data_opened = True
        parts = {name: self.config.get(f"{name}_dataloader") for name in ("train", "val")}
        built = {name: DATASETS.build(loader.dataset) for name, loader in parts.items() if loader}
        sizes = ", ".join(f"{name} {len(dataset):,} images" for name, dataset in built.items())
        return f"{sizes}; {class_names(built['train'])}"

    def find_weights(self) -> str:
        """Where the weights come from (`compose` has them on this disk by now)."""
        return str(self.config.get("load_from") or "the model's own initialisation")

    def find_metric(self) -> str:
        """The evaluators, and whether they report the searcher's metric, as far as that is known beforehand."""
        from mmengine.evaluator import Evaluator

        from model_def.metric import check_metric

        _needed(self._data_opened)
        if not self.config.get("val_evaluator"):
            return "no validation"
        known = check_metric(Evaluator(self.config.val_evaluator), self.experiment)
        return self.experiment.searcher.metric + ("" if known else " (the first validation will tell)")


class NotTried(Exception):
    """A step needs what an earlier one failed to make."""


def dry_run(file: Path, assignments: Sequence[str], console: Console | None = None) -> int:
    """Try each step and print how it went; the exit code is 0 or 2."""
    console = console or make_console()
    steps = DryRun(file=file, assignments=assignments).steps()
    with quiet(console):
        results = [_attempt(name, step, console) for name, step in steps.items()]
    return 0 if all(results) else 2


def _attempt(name: str, step: Callable[[], str], console: Console) -> bool:
    with contextlib.suppress(NotTried):
        try:
            _print(console, "✓", name, step(), style="green")
        except UserError as error:
            _print(console, "✗", name, str(error), style="red")
            return False
        return True
    _print(console, "–", name, "not tried", style="dim")
    return False


def _print(console: Console, mark: str, name: str, text: str, *, style: str) -> None:
    first, *more = text.splitlines()
    console.print(Text.assemble((mark, style), f" {name:<12}{first}"))
    for line in more:
        console.print(Text(f"{'':14}{line}"))


def _needed(value: _Value | None) -> _Value:
    if value is None:
        raise NotTried
    return value
