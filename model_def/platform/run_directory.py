"""The output directory of one run off-cluster: what was run, what was measured, what was saved."""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from model_def.errors import is_disk_full, no_room
from model_def.state.plain import json_number

_CHECKPOINTS = "checkpoints"
_REPLACED = ".replaced"


class RunDirectory:
    """Writes `metrics.jsonl` and keeps `checkpoints/` with its links `latest` and `best`.

    Args:
        path: the directory; it exists.
        metric, smaller_is_better: what makes a checkpoint the best one.
        keep_best, keep_latest: how many checkpoints of each kind stay.
    """

    def __init__(
        self, path: pathlib.Path, *, metric: str, smaller_is_better: bool, keep_best: int = 1, keep_latest: int = 1
    ) -> None:
        self.path = path
        self._metric = metric
        self._sign = -1.0 if smaller_is_better else 1.0
        self._keep_best, self._keep_latest = keep_best, keep_latest

    def rewind(self, steps_completed: int, *, validated: int) -> None:
        """Drop the metrics that a resumed run measures again.

        Args:
            steps_completed: of the checkpoint that it goes on from.
            validated: `steps_completed` of the last validation that this checkpoint knows of.
        """
        last = {"training": steps_completed}
        kept = [line for line in self._lines() if line["steps_completed"] <= last.get(line["group"], validated)]
        lines = [json.dumps(line) for line in kept]
        partial = self._metrics_file.with_suffix(".partial")
        partial.write_text("".join(f"{line}\n" for line in lines))
        partial.replace(self._metrics_file)

    def record(self, *, group: str, steps_completed: int, metrics: Mapping[str, Any]) -> None:
        """Append one line to `metrics.jsonl`; numbers keep all their digits, what is no number is null."""
        values = {name: json_number(value) for name, value in metrics.items()}
        epoch = values.pop("epochs", None)
        values.pop("batches", None)
        line = {
            "group": group,
            "steps_completed": steps_completed,
            "epoch": None if epoch is None else int(epoch),
            "metrics": values,
        }
        with self._metrics_file.open("a") as stream:
            stream.write(json.dumps(line) + "\n")

    def best(self) -> tuple[float, int] | None:
        """The best validation so far: the metric's value and the number of batches it was measured at."""
        ranked = self._validations()
        return ranked[0] if ranked else None

    def last_validation(self) -> int | None:
        """The number of batches that the last validation was measured at."""
        return max((steps for _, steps in self._validations()), default=None)

    def recover(self) -> None:
        """Remove what a process has left that was killed while it wrote, replaced or removed a checkpoint."""
        put_back_replaced(self.path)
        for path in (self.path / _CHECKPOINTS).glob(".[0-9]*"):
            shutil.rmtree(path)

    @contextlib.contextmanager
    def new_checkpoint(self, steps_completed: int) -> Iterator[pathlib.Path]:
        """A directory to write a checkpoint into; it takes its name and place only when it is whole."""
        final = self.checkpoint(steps_completed)
        partial = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
        partial.mkdir(parents=True)
        try:
            yield partial
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)
            if _is_disk_full(error):
                what = f"the checkpoint of batch {steps_completed} can't be written: the disk is full"
                raise no_room(what, error, value=final, output=self.path) from error
            raise
        replaced = final.with_name(f".{final.name}{_REPLACED}")
        if final.exists():
            final.rename(replaced)
        partial.rename(final)
        shutil.rmtree(replaced, ignore_errors=True)
        self.tidy()

    def checkpoint(self, steps_completed: int) -> pathlib.Path:
        """Where the checkpoint of that many batches is, or would be."""
        return self.path / _CHECKPOINTS / str(steps_completed)

    def tidy(self) -> None:
        """Point `latest` and `best` at their checkpoints and remove the ones that nothing needs."""
        saved = sorted((int(path.name) for path in self.checkpoint(0).parent.glob("[0-9]*")), reverse=True)
        ranked = [steps for _, steps in self._validations() if steps in saved]
        for name, candidates in (("latest", saved), ("best", ranked)):
            if candidates:
                _link(self.checkpoint(0).with_name(name), str(candidates[0]))
        for steps in set(saved) - set(saved[: max(self._keep_latest, 1)]) - set(ranked[: self._keep_best]):
            removed = self.checkpoint(steps).rename(self.checkpoint(0).with_name(f".{steps}.removed"))
            shutil.rmtree(removed)  # a half that is left behind has no checkpoint's name

    @property
    def _metrics_file(self) -> pathlib.Path:
        return self.path / "metrics.jsonl"

    def _lines(self) -> list[dict[str, Any]]:
        if not self._metrics_file.exists():
            return []
        return list(_parsed(self._metrics_file.read_text()))

    def _validations(self) -> list[tuple[float, int]]:
        """(value, batches) of every validation that has the metric, the best first, the earlier of two equal ones."""
        lines = [line for line in self._lines() if line["group"] == "validation"]
        values = [(line["metrics"].get(self._metric), line["steps_completed"]) for line in lines]
        return sorted(
            ((value, steps) for value, steps in values if value is not None),
            key=lambda entry: (-self._sign * entry[0], entry[1]),
        )


def put_back_replaced(output: pathlib.Path) -> None:
    """Put a checkpoint back that was taken away for a new one, if the process was killed before that was in place."""
    for path in (output / _CHECKPOINTS).glob(f".[0-9]*{_REPLACED}"):
        final = path.with_name(path.name.removeprefix(".").removesuffix(_REPLACED))
        if not final.exists():
            path.rename(final)


def _parsed(text: str) -> Iterator[dict[str, Any]]:
    """The lines of a metrics file, less the half one that a process may leave that is killed or finds no room."""
    for line in text.splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(line)


def _is_disk_full(error: BaseException) -> bool:
    """torch's writer says so in its own way."""
    torchs = isinstance(error, RuntimeError) and re.search(r"PytorchStreamWriter|inline_container", str(error))
    return is_disk_full(error) or bool(torchs)


def _link(link: pathlib.Path, target: str) -> None:
    """Replace a symbolic link in one step."""
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)
