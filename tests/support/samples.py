"""What a Determined master would draw for the searched hyperparameters of an experiment: the ends of each range."""

from __future__ import annotations

import json
from typing import Any

from model_def.samples import chosen, count, sampled

Hyperparameters = dict[str, Any]


def samples(hyperparameters: Hyperparameters) -> list[Hyperparameters]:
    """As few samples as have both ends of each range and all values of each choice; one if nothing is searched."""
    return [sampled(hyperparameters, number) for number in range(count(hyperparameters))]


def assignments(hyperparameters: Hyperparameters, number: int) -> list[str]:
    """One of the samples as `key=value` arguments of the command line."""
    return [f"{key}={json.dumps(value)}" for key, value in chosen(hyperparameters, number).items()]
