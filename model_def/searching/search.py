"""The state of a search: its trials, what they have measured, and who goes on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

from model_def.errors import OutputError
from model_def.searching import halving, record
from model_def.searching.halving import Bracket, Verdict
from model_def.searching.plan import Plan
from model_def.searching.record import Event

_SIZE = ("hyperparameters", "global_batch_size")
RUNNING, WAITING, FAILED = "training", "waiting", "failed"


@dataclasses.dataclass(kw_only=True)
class Trial:
    """One trial, as far as it has come.

    Attributes:
        values: `key=value` for each hyperparameter that was drawn.
        status: waiting, training, stopped early, done or failed.
        batches, length: trained so far, as the last validation said; the length is in the searcher's unit.
        best: the best value of the searcher's metric and the batches that it was measured at.
        message: why it has failed.
    """

    values: list[str]
    status: str = WAITING
    batches: int = 0
    length: float = 0
    best: tuple[float, int] | None = None
    message: str = ""

    @property
    def ended(self) -> bool:
        """Whether it is not to be trained any more."""
        return self.status not in (WAITING, RUNNING)


class Search:
    """Takes what happens, writes it down, and says who goes on. It is the same after a restart.

    Args:
        plan: what to do.
        output: the search's directory; what its `search.jsonl` holds has happened already.

    Attributes:
        hopeless: the mistake in the experiment that the first trial has met; no other one would fare better.

    Raises:
        OutputError: it is the directory of another search.
    """

    def __init__(self, plan: Plan, output: Path) -> None:
        self.plan, self.output = plan, output
        self.trials = [Trial(values=plan.values(number)) for number in range(len(plan.draws))]
        divisor = halving.given(plan.experiment.searcher.raw, "divisor", halving.DIVISOR)
        self._brackets = [Bracket(lengths, divisor) for lengths in plan.lengths]
        self._sign = 1 if plan.experiment.searcher.smaller_is_better else -1
        self._file = output / "search.jsonl"
        self.hopeless: str | None = None
        self._go_on()

    def begun(self, number: int) -> None:
        """A trial begins, or goes on after a stop of the search."""
        self._happened({"event": "begin", "trial": number + 1, "values": self.trials[number].values})

    def measured(self, number: int, *, batches: int, metrics: Mapping[str, float]) -> Verdict:
        """A trial's validation after `batches`, and whether the trial goes on."""
        size = self.plan.draws[number].get(_SIZE, self.plan.experiment.hyperparameters.global_batch_size)
        lengths = {**metrics, "batches": batches, "records": batches * size}
        if self.plan.unit not in lengths:
            known = ", ".join(sorted(lengths))
            self.hopeless = f"validation reports no `{self.plan.unit}`, the `time_metric` of the searcher: only {known}"
            return Verdict.STOP
        event = {"event": "validation", "trial": number + 1, "batches": batches, "length": lengths[self.plan.unit]}
        shown = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        return self._happened({**event, "metrics": shown})

    def ended(self, number: int, status: str, message: str = "", *, mistake: bool = False) -> None:
        """A trial is over; `mistake`: the user's, not the training's."""
        if mistake and not any(trial.batches or trial.ended for trial in self.trials):
            self.hopeless = message
        elif not self.trials[number].ended:
            self._happened({"event": "end", "trial": number + 1, "status": status, "message": message})

    def left(self) -> list[int]:
        """The trials that are not over."""
        return [number for number, trial in enumerate(self.trials) if not trial.ended]

    def best(self) -> int | None:
        """The trial with the best metric, the earlier of two; None before anything was measured."""
        rated = [(self._sign * trial.best[0], number) for number, trial in enumerate(self.trials) if trial.best]
        return min(rated)[1] if rated else None

    def folder(self, number: int) -> Path:
        """A trial's own output directory."""
        return self.output / "trials" / f"{number + 1:03d}"

    def _go_on(self) -> None:
        events = record.read(self._file)
        known = {number: trial.values for number, trial in enumerate(self.trials, 1)}
        for event in events:
            if event["event"] == "begin" and event["values"] != known.get(event["trial"]):
                raise OutputError(
                    what="this is the directory of another search: its trials have other values",
                    value=str(self.output),
                    where=f"{self._file}: trial {event['trial']} has {' '.join(event['values'])}",
                    allowed="the experiment, with the key=value arguments, that began it",
                    next="start a new search: leave out --resume",
                )
            self._apply(event)
        record.rewrite(self._file, events)

    def _happened(self, event: Event) -> Verdict:
        record.append(self._file, event)
        return self._apply(event)

    def _apply(self, event: Event) -> Verdict:
        number = event["trial"] - 1  # in the file as in the names of the folders
        trial, bracket = self.trials[number], self._brackets[self.plan.brackets[number]]
        if event["event"] == "begin":
            trial.status = RUNNING
        elif event["event"] == "end":
            trial.status, trial.message = event["status"], event["message"]
            if trial.status == FAILED:
                bracket.lose(number)
        else:
            return self._judge(number, trial, bracket, event)
        return Verdict.GO_ON

    def _judge(self, number: int, trial: Trial, bracket: Bracket, event: Event) -> Verdict:
        trial.batches, trial.length = event["batches"], event["length"]
        value = event["metrics"].get(self.plan.experiment.searcher.metric)
        if value is not None and (trial.best is None or self._sign * value < self._sign * trial.best[0]):
            trial.best = (value, trial.batches)
        verdict = bracket.judge(number, trial.length, self._sign * value if value is not None else math.nan)
        if verdict is not Verdict.GO_ON:
            trial.status = verdict.value
        return verdict
