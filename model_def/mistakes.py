"""An experiment with mistakes: what is wrong with its config is told with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_def.errors import UserError
from model_def.experiment import Unfinished, load_experiment
from model_def.experiment_types import Experiment


def loaded(path: Path, assignments: Sequence[str] = ()) -> Experiment:
    """`load_experiment`, which after a mistake also looks at the config that the rest of the file describes.

    Raises:
        Unfinished: with everything that is wrong in the file and in its config.
    """
    try:
        return load_experiment(path, assignments)
    except Unfinished as error:
        try:
            check_rest(error.rest)
        except UserError as more:
            raise Unfinished(problems=(*error.problems, *more.problems)) from error
        raise


def check_rest(rest: Experiment | None) -> None:
    """Compose the config of an experiment that was loaded without its mistakes, if there is one.

    Raises:
        UserError: with what is wrong with the config.
    """
    if rest:
        from model_def.compose import compose  # heavy, and only mistakes need it here

        compose(rest, slots=rest.slots_per_trial)
