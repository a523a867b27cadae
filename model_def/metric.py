"""Whether validation will report the metric that the experiment is ranked by."""

from __future__ import annotations

from mmengine.evaluator import Evaluator

from model_def.errors import ExperimentError
from model_def.evaluate.validation import reported
from model_def.experiment import Experiment
from model_def.fields import did_you_mean, nearest


def check_metric(evaluator: Evaluator, experiment: Experiment) -> bool:
    """Compare `searcher.metric` with the names that are known before a validation.

    Returns:
        False if that can't be said: only COCO's names are known beforehand.

    Raises:
        ExperimentError: no evaluator reports it.
    """
    known, wanted = reported(evaluator, {}), experiment.searcher.metric
    if known and len(evaluator.metrics) == 1 and wanted not in known:
        raise ExperimentError(
            what="no evaluator reports this metric",
            value=wanted,
            where=experiment.where("searcher", "metric"),
            allowed=", ".join(known),
            next=did_you_mean(nearest(wanted, list(known))) or f"searcher.metric={next(iter(known))}",
        )
    return wanted in known
