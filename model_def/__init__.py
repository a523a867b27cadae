"""One experiment YAML trains any MMDetection 3.x model: on a Determined cluster, on a laptop, under torchrun."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_def.entrypoint import MMDetTrial
    from model_def.inference import load_model

# OpenMP reads this once, when torch is imported. Threads that spin while they wait slow a busy machine several times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
__all__ = ["MMDetTrial", "__version__", "load_model"]


def __getattr__(name: str) -> Any:
    """Import on first use: `model_def:MMDetTrial` is an entrypoint, but `--help` must not wait for torch."""
    if name == "MMDetTrial":
        from model_def.entrypoint import MMDetTrial

        return MMDetTrial
    if name == "load_model":
        from model_def.inference import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
