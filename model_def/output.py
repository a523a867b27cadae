"""Output directories: choose one, make sure that it can be written, find an earlier one again."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from model_def.errors import OutputError, UserError, WeightsError

ROOT = Path("output")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resume:
    """Where to go on from: a checkpoint's folder, and the output directory to go on in (None: a new one)."""

    checkpoint: Path
    output: Path | None


def new_output(name: str) -> Path:
    """`output/<name>/<time>`, not created. Characters that a shell would trip over become `-`."""
    return ROOT / _folder(name) / time.strftime("%Y%m%d-%H%M%S")


@contextlib.contextmanager
def claimed(output: Path, *, resume: bool = False) -> Iterator[Path]:
    """The output directory, created and seen to be writable.

    What is still empty at the end is removed again, and so is what a mistake of the user's has left half-written.

    Args:
        resume: whether the directory may hold an earlier run.

    Raises:
        OutputError: it can't be written, or it holds something and `resume` is false.
    """
    missing = [folder for folder in (output, *output.parents) if not folder.exists()]
    try:
        _create(output, resume=resume)
        yield output
    except UserError:
        if output in missing and not _has_results(output):
            shutil.rmtree(output, ignore_errors=True)
        raise
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):  # it holds something now, or was never made
                folder.rmdir()


def find_resume(path: Path | None, *, name: str) -> Resume:
    """What `--resume [PATH]` means.

    An output directory goes on in place, and so does its latest checkpoint. Any other checkpoint starts a new output
    directory, since the old one's metrics run past it. No path: the newest output directory of the experiment.

    Raises:
        WeightsError: there is nothing to go on from.
    """
    output = path or newest_output(name, holding="checkpoints/latest")
    latest = output / "checkpoints" / "latest"
    if latest.is_dir():
        return Resume(checkpoint=latest.resolve(), output=output)
    if not (output / "model.pth").is_file():
        raise WeightsError(
            what="there is no checkpoint to resume from",
            value=str(output),
            allowed="an output directory with checkpoints/latest, or one of the folders in checkpoints/",
            next="train without --resume",
        )
    checkpoint = output.resolve()
    is_latest = (checkpoint.parent / "latest").resolve() == checkpoint
    return Resume(checkpoint=checkpoint, output=checkpoint.parent.parent if is_latest else None)


def newest_output(name: str, *, holding: str) -> Path:
    """The newest output directory of an experiment that has the file or folder `holding`.

    Raises:
        WeightsError: there is none.
    """
    folder = ROOT / _folder(name)
    found = sorted(path.parents[holding.count("/")] for path in folder.glob(f"*/{holding}"))
    if not found:
        raise WeightsError(
            what=f"no output of the experiment {name!r} has a checkpoint",
            where=str(folder.resolve()),
            next="train it first, or name its output directory",
        )
    return found[-1]


def find_model(path: Path) -> tuple[Path, Path]:
    """(config.py, model.pth) of an output directory (its best checkpoint, else its latest) or of a checkpoint's folder.

    Raises:
        WeightsError: there is no such pair.
    """
    for folder in (path / "checkpoints" / "best", path / "checkpoints" / "latest", path):
        weights, config = folder / "model.pth", folder.resolve().parent.parent / "config.py"
        if weights.is_file() and config.is_file():
            return config, weights
    raise WeightsError(
        what="there is no trained model",
        value=str(path),
        allowed="an output directory with config.py and checkpoints/, or one of its checkpoints",
        next="ls output/*",
    )


def _create(output: Path, *, resume: bool) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output) as probe:
            probe.write(b"\0" * 4096)
        taken = not resume and any(output.iterdir())
    except OSError as error:
        raise OutputError(
            what="the output directory can't be written",
            value=str(output),
            where=str(error),
            allowed="a directory that you may write, on a disk with room",
            next="choose another one: --output DIR",
        ) from error
    if taken:
        raise OutputError(
            what="the output directory already holds something",
            value=str(output),
            allowed="an empty or new directory",
            next=f"go on with it: --resume {output}, or choose another one: --output DIR",
        )


def _has_results(output: Path) -> bool:
    metrics = output / "metrics.jsonl"
    return (output / "checkpoints").exists() or (metrics.is_file() and metrics.stat().st_size > 0)


def _folder(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "experiment"
