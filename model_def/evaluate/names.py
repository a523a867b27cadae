"""The names under which metrics are reported. Nothing here imports Determined: `check` has no use for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.engine.runner import TeacherStudentValLoop
from mmengine.evaluator import Evaluator

from model_def.evaluate.exact import RoundedMetric
from model_def.evaluate.expected import expected


def name_prefixes(loop: Any) -> tuple[str, ...]:
    """What a validation loop puts before the names of metrics: this one of mmdet's validates two models."""
    return ("teacher/", "student/") if isinstance(loop, TeacherStudentValLoop) else ("",)


def reported(evaluator: Evaluator, metrics: Mapping[str, Any], prefixes: Sequence[str] = ("",)) -> dict[str, float]:
    """Metrics as they are reported: exact, under mmengine's names less the evaluator's prefix, none missing.

    Args:
        evaluator: the one that computed them.
        metrics: what a validation loop hands to `after_val_epoch`, such as `{"coco/bbox_mAP": 0.106}`.
        prefixes: what that loop puts before the names; see `name_prefixes`.

    Returns:
        For example `{"bbox_mAP": 0.10634}`. Without any detection mmdet leaves COCO's and LVIS' metrics out: here they
        are 0.
    """
    always = (name for metric in evaluator.metrics for name in expected(metric))
    complete = {f"{prefix}{name}": 0.0 for name in always for prefix in prefixes} | dict(metrics)
    short = {name: _without_prefix(name, evaluator) for name in complete}
    unique = len(set(short.values())) == len(short)
    return {short[name] if unique else name: _exact(value) for name, value in complete.items() if _is_number(value)}


def _without_prefix(name: str, evaluator: Evaluator) -> str:
    for prefix in {metric.prefix for metric in evaluator.metrics if metric.prefix}:
        if name.startswith(f"{prefix}/"):
            return name[len(prefix) + 1 :]
        name = name.replace(f"/{prefix}/", "/")  # behind a data set's name, or teacher and student
    return name


def _is_number(value: Any) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, (bool, str))


def _exact(value: Any) -> float:
    return value.exact if isinstance(value, RoundedMetric) else float(value)
