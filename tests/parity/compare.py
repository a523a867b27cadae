"""The first difference between two runs."""

from __future__ import annotations

import json
import math
import pathlib
from itertools import zip_longest
from typing import Any

MINIMUM = 8  # iterations
CLOCKS = ("data_time", "iter_time", "step_time", "samples_per_second", "memory")


def records_differ(ours: pathlib.Path, theirs: pathlib.Path) -> str | None:
    """The first line that is not the same text, in words; None if all are."""
    lines = zip_longest(_lines(ours), _lines(theirs))
    return next((_difference(our, their) for our, their in lines if our != their), None)


def common_part_differs(ours: pathlib.Path, theirs: pathlib.Path) -> str | None:
    """As `records_differ`, but one of the runs may have gone on for longer."""
    lines = zip(_lines(ours), _lines(theirs), strict=False)
    return next((_difference(our, their) for our, their in lines if our != their), None)


def _lines(path: pathlib.Path) -> list[str]:
    return path.read_text().splitlines()


def _difference(our: str | None, their: str | None) -> str:
    if our is None or their is None:
        return f"only {'stock' if our is None else 'ours'} goes on, with {our or their}"
    first, second = json.loads(our), json.loads(their)
    if first.keys() != second.keys():
        return f"ours goes on with {our}, stock with {their}"
    for key in first:
        if first[key] != second[key]:
            where = {name: first[name] for name in ("iteration", "after", "validation", "at", "end") if name in first}
            return f"{key} {where}: ours {first[key]}, stock {second[key]}"
    return f"ours {our}, stock {their}"  # nan is not equal to itself, but its text is


def facts(record: pathlib.Path) -> dict[str, int]:
    """How much was compared: numbers of iterations, updates, validations, and learning rates that occurred."""
    lines = [json.loads(line) for line in _lines(record)]
    return {
        "iterations": sum("losses" in line for line in lines),
        "updates": sum("step" in line for line in lines),
        "validations": sum("validation" in line for line in lines),
        "learning_rates": len({json.dumps(line["lr"]) for line in lines if "lr" in line}),
    }


def metrics_differ(metrics: pathlib.Path, record: pathlib.Path) -> str | None:
    """Where our `metrics.jsonl` says something else than the record of the same run."""
    lines = [json.loads(line) for line in _lines(record)]
    losses = [line for line in lines if "losses" in line]
    reported = [json.loads(line) for line in _lines(metrics)]
    training = [line for line in reported if line["group"] == "training"]
    if len(training) != len(losses):
        return f"metrics.jsonl has {len(training)} lines of training for {len(losses)} iterations"
    for line, reference in zip(training, losses, strict=True):
        for name, value in {**reference["losses"], **reference["logged"]}.items():
            if repr(line["metrics"].get(name)) != repr(value):
                found = line["metrics"].get(name)
                return f"metrics.jsonl: {name} after {reference['after']} is {found}, not {value}"
    validations = {line["validation"]: line["metrics"] for line in lines if "validation" in line}
    for line in (line for line in reported if line["group"] == "validation"):
        for name, value in validations.get(line["steps_completed"], {}).items():
            if isinstance(value, float) and not _reported(line["metrics"], name, value):
                return f"metrics.jsonl: validation at {line['steps_completed']} lacks {name} = {value}"
    return None


def _reported(metrics: dict[str, Any], name: str, rounded: float) -> bool:
    """Whether a metric stands under its name less prefixes, exact where mmdet has rounded it."""
    parts = name.split("/")
    found = [metrics[key] for key in ("/".join(parts[n:]) for n in range(len(parts))) if key in metrics]
    found += [metrics[key] for key in metrics if key.split("/")[-1] == parts[-1]]
    return any(_same(value, rounded) for value in found)


def _same(value: float | None, rounded: float) -> bool:
    """Metrics that are no numbers stand as null in `metrics.jsonl`."""
    return not math.isfinite(rounded) if value is None else abs(value - rounded) <= 0.006
