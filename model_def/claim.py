"""An output directory while a run writes into it: writable, nobody else's, and put back if a mistake ends the run."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from model_def.errors import OutputError, UserError, is_disk_full, no_room

_METRICS = "metrics.jsonl"


@contextlib.contextmanager
def claimed(output: Path, *, resume: bool = False) -> Iterator[Path]:
    """The output directory, created and seen to be writable.

    What is still empty at the end is removed again. When a mistake of the user's ends the run before it has measured or
    saved anything, the directory is as it was before, or gone.

    Args:
        resume: whether the directory may hold an earlier run.

    Raises:
        OutputError: it can't be written, the disk is full, or it holds something and `resume` is false.
    """
    missing = [folder for folder in (output, *output.parents) if not folder.exists()]
    try:
        _create(output, resume=resume)
        with _undone_by_mistakes(output), _room(output):
            yield output
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):  # it holds something now, or was never made
                folder.rmdir()


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
        earlier = f"go on with it: --resume {output}, or " if (output / "checkpoints" / "latest").exists() else ""
        raise OutputError(
            what="the output directory already holds something",
            value=str(output),
            where=f"{output.resolve()}: {next(output.iterdir()).name} and so on",
            allowed="an empty or new directory",
            next=f"{earlier}choose another one: --output DIR",
        )


@dataclasses.dataclass(frozen=True)
class _Before:
    """What an output directory held: every path, and the content of the files at its top."""

    paths: frozenset[Path]
    files: dict[Path, bytes]

    def has_grown(self, output: Path) -> bool:
        """Whether there are new checkpoints or measurements by now."""
        checkpoints = (path for path in (output / "checkpoints").glob("[0-9]*") if path not in self.paths)
        metrics = output / _METRICS
        measured = metrics.read_bytes() if metrics.is_file() else b""
        return any(checkpoints) or not self.files.get(metrics, b"").startswith(measured)

    def restore(self, output: Path) -> None:
        """Put the directory back."""
        for path in sorted(set(output.rglob("*")) - self.paths, reverse=True):
            with contextlib.suppress(OSError):  # another process may still write
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        for path, content in self.files.items():
            if not path.is_file() or path.read_bytes() != content:
                path.write_bytes(content)


@contextlib.contextmanager
def _undone_by_mistakes(output: Path) -> Iterator[None]:
    files = {path: path.read_bytes() for path in output.iterdir() if path.is_file()}
    before = _Before(paths=frozenset(output.rglob("*")), files=files)
    try:
        yield
    except UserError:
        if not before.has_grown(output):
            before.restore(output)
        raise


@contextlib.contextmanager
def _room(output: Path) -> Iterator[None]:
    original = threading.excepthook

    def quiet(args: threading.ExceptHookArgs) -> None:
        """TensorBoard writes in a thread, and raises what happened there again where it is called."""
        if args.exc_value is None or not is_disk_full(args.exc_value):
            original(args)

    threading.excepthook = quiet
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise no_room("the disk is full", error, value=Path(error.filename or output), output=output) from error
    finally:
        threading.excepthook = original
