"""Whether validation will report the metric that the experiment is ranked by."""

from __future__ import annotations

from typing import Any

from mmengine.registry import EVALUATOR, DefaultScope
from mmengine.runner import BaseLoop

from model_def.compose.components import classes_of
from model_def.errors import ConfigError, ExperimentError
from model_def.evaluate.foretold import foretold
from model_def.evaluate.names import name_prefixes
from model_def.experiment_types import Experiment
from model_def.fields import did_you_mean, nearest


def check_metric(loop: BaseLoop, experiment: Experiment) -> bool:
    """Compare `searcher.metric` with the names that are known before a validation.

    Returns:
        False if that can't be said: only the names of mmdet's own evaluators are known beforehand.

    Raises:
        ExperimentError: no evaluator reports it.
    """
    known, wanted = foretold(loop.evaluator, name_prefixes(loop)), experiment.searcher.metric
    if known and wanted not in known:
        raise ExperimentError(
            what="no evaluator reports this metric",
            value=wanted,
            where=experiment.where("searcher", "metric"),
            allowed=", ".join(known),
            next=did_you_mean(nearest(wanted, list(known))) or f"searcher.metric={known[0]}",
        )
    return wanted in known


def loop_without_data(config: dict[str, Any]) -> Any:
    """The validation loop of a composed config with its evaluators and nothing else: hardly any reads its file at once.

    Raises:
        ConfigError: an evaluator needs a package that isn't installed.
        OSError, ValueError: one reads its file at once.
    """
    given = config["val_evaluator"]
    several: dict[str, Any] = given if "metrics" in given else {"type": "Evaluator", "metrics": given}
    metrics = several["metrics"] if isinstance(several["metrics"], list | tuple) else [several["metrics"]]
    unread = [{**one, "ann_file": None} if "ann_file" in one else one for one in metrics]
    kind = next(iter(classes_of(config["val_cfg"].get("type") or "ValLoop")))
    loop: Any = object.__new__(kind)
    try:
        with DefaultScope.overwrite_default_scope(config.get("default_scope", "mmdet")):
            loop.evaluator = EVALUATOR.build({**several, "metrics": unread})
    except (ImportError, RuntimeError) as error:  # what mmdet raises for a package that one of them needs
        what, types = "an evaluator can't be built here", " and ".join(str(one.get("type")) for one in metrics)
        raise ConfigError(what=what, value=types, where=f"val_evaluator: {error}", next="install it") from error
    return loop
