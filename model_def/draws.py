"""The draws of a search, each assembled: a choice that doesn't work is found before the search comes to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model_def import samples
from model_def.compose import compose
from model_def.errors import ConfigError, Problem, UserError
from model_def.experiment import load_experiment


def assemble_others(file: Path, assignments: Sequence[str], hyperparameters: Mapping[str, Any]) -> int:
    """Assemble every draw but the first.

    Args:
        file, assignments: what `train` would be given; the first draw can be loaded.
        hyperparameters: the experiment's, with its searches.

    Returns:
        How many draws there are.

    Raises:
        ConfigError: with what is wrong with any of them, and the values that were drawn.
    """
    problems: list[Problem] = []
    count = samples.count(hyperparameters)
    for number in range(1, count):
        try:
            compose(drawn := load_experiment(file, assignments, sample=number), slots=drawn.slots_per_trial)
        except UserError as error:
            values = samples.drawn(hyperparameters, number)
            problems += (dataclasses.replace(one, what=f"with {values}: {one.what}") for one in error.problems)
    if problems:
        raise ConfigError.of(problems)
    return count
