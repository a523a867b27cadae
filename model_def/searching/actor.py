"""What Ray runs for a trial: a small process that starts the trial's own and hands on what they tell."""

from __future__ import annotations

import json
from typing import Any

from ray import tune

from model_def.searching.process import Task, TrialProcesses

_HEARTBEAT = 1.0  # seconds after which a trial can be stopped, whatever it does


class Actor(tune.Trainable):
    """One trial after another: what has been imported for the first one is there for the next."""

    def setup(self, config: dict[str, Any], tasks: dict[int, Task] | None = None) -> None:
        """Begin a trial."""
        self._tasks = tasks or {}
        self._processes = TrialProcesses(self._tasks[config["trial"]])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """End one trial and begin another."""
        self._processes.stop()
        self._processes = TrialProcesses(self._tasks[new_config["trial"]])
        return True

    def step(self) -> dict[str, Any]:
        """The trial's news. Where there is nothing new the same is said again soon: Tune may have a word for it.

        As text, because Tune hands on a nested mapping in pieces.
        """
        news = self._processes.news(_HEARTBEAT)
        return {"news": json.dumps(news), "done": news.get("event") == "end"}

    def cleanup(self) -> None:
        """End the trial."""
        self._processes.stop()
