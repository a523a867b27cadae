"""What belongs to one run, over all its processes: when it began, and what has been said to the user."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import multiprocessing
import os
import tempfile
import time
import warnings
from pathlib import Path

BLUR = 1.0  # seconds: the system knows no better when a process began


def asked_in_this_run(when: float) -> bool:
    """Whether `when`, in seconds since the epoch, surely lies in this run."""
    return when >= _began() + BLUR


def warn_once(message: str, *, about: Path) -> None:
    """Warn, unless a process of this run has warned about the folder `about` before."""
    if not _said(about):
        warnings.warn(message, RuntimeWarning, stacklevel=2)


def _said(about: Path) -> bool:
    """Whether it was said in this run; from now on it was. An empty file in the folder for temporary ones notes it."""
    digest = hashlib.sha256(str(about.absolute()).encode()).hexdigest()[:16]
    note = Path(tempfile.gettempdir(), f"determined-mmdet-{os.getuid()}-{digest}")
    with contextlib.suppress(OSError):
        try:
            os.close(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            if note.stat().st_mtime >= _began() - BLUR:
                return True
            os.utime(note)
    return False


def _began() -> float:
    """When the process began that this one is a worker of, or else this process, in seconds since the epoch."""
    parent = multiprocessing.parent_process()
    return _process_began(parent.pid if parent and parent.pid else os.getpid())


@functools.cache
def _process_began(number: int) -> float:
    import psutil

    try:
        return float(psutil.Process(number).create_time())
    except psutil.Error:
        return time.time()
