"""The plan: what is about to happen, in a few lines, before the first batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from rich.text import Text

from model_def.class_names import class_names, so_many
from model_def.evaluate.counted import counts
from model_def.report.learning import batch_size, epochs, optimizers, schedules
from model_def.state.runner_state import unwrapped

if TYPE_CHECKING:
    from mmengine.runner import Runner
    from torch import nn

    from model_def.experiment_types import Experiment

_CLASSES_SHOWN = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """A title, rows of (label, text), and notes that the config's assembly left."""

    title: str
    rows: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()

    def print(self, console: Console) -> None:
        """Print it as two columns, and an empty line."""
        console.print(Text(self.title, style="bold"))
        print_rows([*self.rows, *(("note", note) for note in self.notes)], console)
        console.print()


def describe(runner: Runner, *, experiment: Experiment, output: Path | None, notes: Sequence[str] = ()) -> Plan:
    """The plan of a runner whose loops, optimizer and dataloaders are built (from its `before_train` hooks on)."""
    rows = (
        ("config", experiment.hyperparameters.config_file),
        ("model", _model(unwrapped(runner.model))),
        ("weights", _weights(runner, experiment)),
        ("data", _data(runner)),
        ("length", _length(runner)),
        ("optimizer", optimizers(runner)),
        *(("schedule", text) for text in schedules(runner)),
        ("validation", _validation(runner, experiment)),
        *_uncounted(runner),
        ("device", _device()),
        ("output", str(output or "metrics and checkpoints go to the Determined master")),
    )
    return Plan(title=experiment.name, rows=rows, notes=tuple(notes))


def print_rows(rows: Iterable[tuple[str, str]], console: Console) -> None:
    """Print labels and texts as two columns."""
    for label, text in rows:
        console.print(Text.assemble((f"  {label:<12}", "dim"), text.replace("\n", f"\n{'':14}")))


def parameters(model: nn.Module) -> str:
    """`4.2 M parameters`, and how many of them are trained where some are frozen."""
    total = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return f"{_count(total)} parameters" + (f", {_count(trained)} of them trained" if trained < total else "")


def classes_of(dataset: Any) -> str:
    """`2 classes (cat, dog)`; of several data sets with classes of their own, how many they are."""
    if isinstance(dataset.metainfo, list):
        return f"each of {len(dataset.metainfo)} data sets with its own classes"
    classes = class_names(dataset)
    shown = ", ".join(classes[:_CLASSES_SHOWN]) + (", …" if len(classes) > _CLASSES_SHOWN else "")
    return f"{so_many(len(classes))} ({shown})"


def _model(model: Any) -> str:
    parts = [type(getattr(model, part)).__name__ for part in ("backbone", "neck") if getattr(model, part, None)]
    name = type(model).__name__ + (f" on {' and '.join(parts)}" if parts else "")
    return f"{name}, {parameters(model)}"


def _weights(runner: Runner, experiment: Experiment) -> str:
    if weights := experiment.hyperparameters.use_pretrained or runner.cfg.get("load_from"):
        return f"{'of the zoo for this config' if weights is True else weights}: {runner.loaded}"
    init = (runner.cfg.get("model", {}).get("backbone") or {}).get("init_cfg")
    checkpoint = init.get("checkpoint") if isinstance(init, dict) else None
    return f"random, with a backbone from {checkpoint}" if checkpoint else "random"


def _data(runner: Runner) -> str:
    train = runner.train_dataloader.dataset
    held_out = f"{len(runner.val_loop.dataloader.dataset):,}" if runner.val_loop is not None else "none"
    return f"{len(train):,} images to train, {held_out} to validate; {classes_of(train)}"


def _length(runner: Runner) -> str:
    loop, batches = runner.train_loop, len(runner.train_dataloader)
    of_images = f"of {batch_size(runner) * runner.world_size} images"
    if count := epochs(runner):
        unit = "epoch" if count == 1 else "epochs"
        return f"{count} {unit} of {batches:,} batches {of_images} = {loop.max_iters:,} batches"
    return f"{loop.max_iters:,} batches {of_images} (an epoch is {batches:,})"


def _validation(runner: Runner, experiment: Experiment) -> str:
    loop, searcher = runner.train_loop, experiment.searcher
    if runner.val_loop is None:
        return "none"
    unit = "epoch" if epochs(runner) else "batch"
    every = unit if loop.val_interval == 1 else f"{loop.val_interval:,} {'epochs' if unit == 'epoch' else 'batches'}"
    every += "" if loop.val_interval == 1 else " and at the end"
    if period := experiment.min_validation_period:
        every += f" and every {period.value:,} {period.unit}"
    order = "smallest" if searcher.smaller_is_better else "largest"
    return f"after every {every}; the best checkpoint is the one with the {order} {searcher.metric}"


def _uncounted(runner: Runner) -> list[tuple[str, str]]:
    """Says so where no evaluator counts classes one by one."""
    metrics = runner.val_loop.evaluator.metrics if runner.val_loop is not None else []
    if not metrics or any(map(counts, metrics)):
        return []
    names = " and ".join(type(metric).__name__ for metric in metrics)
    return [("per class", f"{names} counts no classes one by one: no AP per class, precision-recall or confusion")]


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"CPU, {threads} {'thread' if threads == 1 else 'threads'}"


def _count(number: int) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)
