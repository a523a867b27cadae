"""What a search shows: a table that keeps up on a terminal, lines elsewhere, and the summary at the end."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from model_def.arguments import PROGRAM, launcher
from model_def.report.pace import clock
from model_def.report.plan import print_rows
from model_def.report.summary import activation
from model_def.report.table import number
from model_def.searching.search import RUNNING, WAITING, Search, Trial
from model_def.searching.space import Draw

_ROWS = 20  # of the table: the trials that train, and the best of those that are over


class Board:
    """Shows how a search stands. `changed` may be called at any time."""

    def __init__(self, search: Search, console: Console) -> None:
        self._search, self._console = search, console
        self._seen = [_seen(trial) for trial in search.trials]
        self._live: Live | None = None

    def __enter__(self) -> Board:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()
        if self._console.is_terminal:
            self._console.print(self.table())

    def changed(self) -> None:
        """Show what is new."""
        if self._live is not None:
            self._live.update(self.table(), refresh=True)
            return
        for index, trial in enumerate(self._search.trials):
            if (now := _seen(trial)) != self._seen[index]:
                self._seen[index] = now
                self._console.print(Text(self._line(index, trial)))

    def table(self) -> Table:
        """One row for each trial, the best first."""
        search = self._search
        metric = search.plan.experiment.searcher.metric
        table = Table("trial", "", "batches", metric, "values", box=None, header_style="bold")
        order = sorted(range(len(search.trials)), key=self._rank)
        shown = [index for index in order if search.trials[index].status != WAITING][:_ROWS]
        for index in shown:
            trial, star = search.trials[index], " ★" if index == search.best() else ""
            value = number(trial.best[0]) if trial.best else "–"
            cells = (str(index + 1), trial.status, f"{trial.batches:,}", value + star)
            table.add_row(*cells, Text(_brief(search.plan.draws[index])))
        counts = ", ".join(_counts(search))
        table.add_row("", counts)
        return table

    def _rank(self, index: int) -> tuple[bool, float, int]:
        trial, smaller = self._search.trials[index], self._search.plan.experiment.searcher.smaller_is_better
        value = float("inf") if trial.best is None else trial.best[0] if smaller else -trial.best[0]
        return trial.status != RUNNING, value, index

    def _line(self, index: int, trial: Trial) -> str:
        parts = [f"trial {index + 1}/{len(self._search.trials)}", trial.status]
        if trial.batches:
            best = trial.best and f"best {self._search.plan.experiment.searcher.metric} {number(trial.best[0])}"
            parts += [f"batch {trial.batches:,}", *([best] if best else [])]
        else:
            parts.append(_brief(self._search.plan.draws[index]))
        return " · ".join(parts) + (f"\n{trial.message}" if trial.message else "")


def summarize(search: Search, *, seconds: float, picture: Path | None, console: Console) -> None:
    """Print the best trial, where everything is, and the commands that go on with it."""
    batches = sum(trial.batches for trial in search.trials)
    console.print(Text(f"\ndone in {clock(seconds)}: {', '.join(_counts(search))}; {batches:,} batches", style="bold"))
    index = search.best()
    if index is None:
        console.print(Text("no trial has measured the searcher's metric"))
        return
    trial, folder, metric = search.trials[index], search.folder(index), search.plan.experiment.searcher.metric
    value, at = trial.best or (0.0, 0)
    rows = [
        ("best", f"trial {index + 1}: {metric} {number(value)} after {at:,} batches"),
        ("values", " ".join(search.plan.drawn(index)) or "(nothing is searched)"),
        ("checkpoint", f"{folder}/checkpoints/best/model.pth: weights for mmdet's init_detector"),
        ("events", f"{search.output}/search.jsonl: everything that was drawn and measured"),
        *([("picture", f"{picture}: values and metric of each trial")] if picture else []),
    ]
    print_rows(rows, console)
    console.print(Text("next", style="bold"))
    slots = search.plan.experiment.slots_per_trial
    train = shlex.join([*launcher(slots if slots > 1 else None), "train", str(search.plan.file), *trial.values])
    for command in (*activation(), f"{PROGRAM} predict {folder} IMAGE…", train):
        console.print(Text(f"  {command}"))


def _counts(search: Search) -> list[str]:
    """`3 done`, `5 stopped early`, …"""
    statuses = [trial.status for trial in search.trials]
    return [f"{statuses.count(status)} {status}" for status in dict.fromkeys(sorted(statuses))]


def _brief(draw: Draw) -> str:
    """The last words of the keys, the first digits of the values: all of both are in search.jsonl."""
    texts = ((place[-1].rpartition(".")[2], value) for place, value in draw.items())
    return " ".join(f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}" for key, value in texts)


def _seen(trial: Trial) -> tuple[str, int]:
    return trial.status, trial.batches
