"""One config: prepared, trained by us and by stock mmengine, and compared."""

from __future__ import annotations

import itertools
import pathlib
import re
import resource
import shutil
import time
from typing import Any

from tests.parity.compare import MINIMUM, common_part_differs, facts, metrics_differ, records_differ
from tests.parity.prepare import LEVELS, DoesNotTrain, prepare
from tests.parity.recorder import RECORD
from tests.parity.runs import End, run, train_ours, train_stock, train_stock_alone

SECONDS = 150
# What no other size would change.
HOPELESS = re.compile(
    r"not installed|No module named|for device cpu not found|can't be imported|not compiled|[Pp]lease (install|run)"
    r"|URLError|KeyError|huggingface|has no attribute"
)

# mmcv's deformable convolution looks for its input at offsets that are no numbers, and crashes.
DIVERGED = re.compile(r"is not finite|died with exit code -11")
UNTIL_THEN = "; until then it is equal"

Row = dict[str, Any]


def examine(name: str, *, scratch: pathlib.Path, data: pathlib.Path, seconds: int = SECONDS) -> Row:
    """The row of `name`: its `result`, the `reason` for it, what was compared, and how long it took.

    Shrinking is tried from much to little: some models hold together at their own sizes alone.
    """
    start, cpu = time.monotonic(), _cpu()
    folder = scratch / name.replace("/", "+")
    row: Row = {}
    reasons: list[str] = []
    for level, calm in itertools.product(LEVELS, (False, True)):
        if calm and not DIVERGED.search(row["reason"] + row.get("ours", "")):
            continue
        if level == "full" and len(set(reasons[-2:])) == 1:  # other sizes of images don't matter to it
            break
        _make_room(folder, row.get("level"))
        row = _attempt(name, level, calm, folder=folder, data=data, seconds=seconds)
        reasons.append(row["reason"])
        if row["result"] in ("equal", "different") or row.pop("hopeless", False) or HOPELESS.search(row["reason"]):
            break
    if row["result"] == "equal":
        for done in scratch.glob(f"{folder.name}*"):
            shutil.rmtree(done)
    return {"config": name, **row, "seconds": round(time.monotonic() - start, 1), "cpu": round(_cpu() - cpu, 1)}


def _make_room(folder: pathlib.Path, level: str | None) -> None:
    """An empty `folder`; what an attempt at `level` has left there goes aside."""
    if level:
        tried = folder.with_name(f"{folder.name}+{level}")
        shutil.rmtree(tried, ignore_errors=True)
        folder.rename(tried)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _cpu() -> float:
    """Seconds that the runs of this process have computed, whatever else the machine was busy with."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _attempt(name: str, level: str, calm: bool, *, folder: pathlib.Path, data: pathlib.Path, seconds: int) -> Row:
    row: Row = {"level": f"{level}, calm" if calm else level}
    prepared = run(_prepare, name, folder, level, calm, data, folder=folder, name="prepare", seconds=seconds)
    if prepared.kind != "done":
        kind, _, reason = _line(prepared).partition(": ")
        result = "does not train" if kind == DoesNotTrain.__name__ else "not comparable"
        return {**row, "result": result, "reason": reason, "hopeless": True}
    ours = run(train_ours, "ours", folder=folder, name="ours", seconds=seconds)
    if not (folder / "ours" / "config.py").exists():
        return {**row, **_without_config(name, ours, folder, seconds)}
    stock = run(train_stock, "ours/config.py", "stock", folder=folder, name="stock", seconds=seconds)
    if "slow" in (ours.kind, stock.kind):
        return {**row, "result": "not comparable", "reason": "too slow", "hopeless": level != "small"}
    if stock.kind != "done":
        return {**row, **_until_it_failed(folder, stock), "ours": _line(ours)}
    if ours.kind != "done":
        return {**row, **_ours_alone(ours)}
    return {**row, **_compare(folder, seconds)}


def _until_it_failed(folder: pathlib.Path, end: End) -> Row:
    """What stock, which has failed, had computed before, beside ours."""
    row: Row = {"result": "not comparable", "reason": f"stock fails: {_line(end)}"}
    ours, stock = _records(folder)
    if not (ours.exists() and stock.exists()):
        return row
    if difference := common_part_differs(ours, stock):
        return {**row, "result": "different", "reason": difference}
    found = facts(stock)
    return {**row, **found, "reason": row["reason"] + (UNTIL_THEN if found["iterations"] else "")}


def _without_config(name: str, ours: End, folder: pathlib.Path, seconds: int) -> Row:
    """What ours didn't even assemble; a config that stock can't train either is not comparable."""
    config = name.partition(":")[0]
    stock = run(train_stock_alone, config, "stock", folder=folder, name="stock", seconds=seconds)
    if ours.kind != "refused" or stock.kind != "failed":
        return _ours_alone(ours)
    reason = f"stock fails: {_line(stock)}; ours says: {ours.text.partition(chr(10))[0]}"
    return {"result": "not comparable", "reason": reason, "hopeless": True}


def _ours_alone(ours: End) -> Row:
    """What stock can train and we can't; other sizes help only where stock's numbers aren't finite either."""
    result = "refused" if ours.kind == "refused" else "failed"
    return {"result": result, "reason": ours.text, "hopeless": "is not finite" not in ours.text}


def _prepare(name: str, folder: pathlib.Path, level: str, calm: bool, data: pathlib.Path) -> None:
    prepare(name, folder, level=level, calm=calm, data=data)


def _compare(folder: pathlib.Path, seconds: int) -> Row:
    ours, stock = _records(folder)
    found = facts(stock)
    difference = records_differ(ours, stock) or metrics_differ(folder / "ours" / "metrics.jsonl", ours)
    if difference and _unsteady(folder, stock, seconds):
        return {**found, "result": "not comparable", "reason": "stock differs from itself"}
    if not difference and found["iterations"] < MINIMUM:
        difference = f"only {found['iterations']} iterations were compared"
    return {**found, "result": "different" if difference else "equal", "reason": difference or ""}


def _records(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Ours and stock's."""
    return folder / "ours" / "mmengine" / RECORD, folder / "stock" / RECORD


def _unsteady(folder: pathlib.Path, stock: pathlib.Path, seconds: int) -> bool:
    """Whether stock gives other numbers when it runs again."""
    again = run(train_stock, "ours/config.py", "again", folder=folder, name="again", seconds=seconds)
    return again.kind == "done" and records_differ(folder / "again" / RECORD, stock) is not None


def _line(end: End) -> str:
    return end.text.strip().partition("\n")[0] if end.kind != "refused" else end.text.strip()
