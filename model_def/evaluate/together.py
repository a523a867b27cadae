"""One evaluation by several processes: nothing but the process group between them, and nobody's patience ends."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Callable
from typing import Any

import torch.distributed
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric

from model_def.evaluate.shadow import modules_of, shadowed

# A process that dies is noticed at once, by its closed connection. So the limit has nothing to guard against.
_NO_LIMIT = datetime.timedelta(days=365)


def join(metrics: list[BaseMetric]) -> None:
    """Let `metrics` gather through the process group, and their processes wait for each other as long as it takes.

    mmengine and mmdet hand results over in files of a directory that all processes share. While the first process
    computes the metrics, the others wait for them in a collective of the default group: NCCL ends that after ten
    minutes, gloo after thirty. All processes must call this.
    """
    group = torch.distributed.new_group(backend="gloo", timeout=_NO_LIMIT)

    def meet() -> None:
        torch.distributed.barrier(group=group)

    for metric in metrics:
        metric.collect_device = "gpu"  # mmengine's name for "through the process group", whatever its device
        metric.evaluate = _patient(metric, meet)


def _patient(metric: BaseMetric, meet: Callable[[], None]) -> Callable[..., dict[str, Any]]:
    evaluate = metric.evaluate
    modules = [*modules_of(metric), sys.modules[BaseMetric.__module__]]

    def broadcast(metrics: list[Any], *args: Any) -> None:
        meet()  # the first process has computed them
        broadcast_object_list(metrics, *args)

    names = {"broadcast_object_list": broadcast, "collect_tracking_results": _collect}

    def patiently(*args: Any) -> dict[str, Any]:
        meet()  # every process has its share of the predictions
        with contextlib.ExitStack() as stack:
            for module in modules:
                stack.enter_context(
                    shadowed(module, {name: names[name] for name in names.keys() & vars(module).keys()})
                )
            found: dict[str, Any] = evaluate(*args)
        return found

    return patiently


def _collect(results: list[Any], *_: Any) -> list[Any] | None:
    """mmdet's `collect_tracking_results`, which knows files only: whole videos, in the order of the processes."""
    parts = all_gather_object(results)
    return [result for part in parts for result in part] if is_main_process() else None
