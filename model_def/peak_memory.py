"""The most memory that this process has taken so far."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch


def peak_memory() -> int:
    """Peak bytes: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:  # not Linux
        peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return peak if sys.platform == "darwin" else peak * 1024  # macOS counts in bytes
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024  # ru_maxrss may be that of the process before it
