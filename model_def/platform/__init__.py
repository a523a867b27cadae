"""Where a trial runs: a Determined cluster, or this machine with its own services in the master's place."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

from determined import pytorch

from model_def.platform.warm_start import WarmStart


@dataclasses.dataclass(frozen=True, kw_only=True)
class Platform:
    """All that training needs to know of the place it runs in.

    Attributes:
        context: Determined's trial context, over this place's services.
        work_dir: where mmengine writes its log and its visualizer's files.
        latest_checkpoint: the storage id of the checkpoint to resume from.
        warm_start: another trial's weights to begin with.
        stop_pending: asked after every batch, on every process, whether to stop soon.
        before_checkpoint: called on the first process when a checkpoint is about to be saved.
        batches: train no further than this; None leaves the length to the config.
        code: a directory to keep in each checkpoint's `code/`; None leaves that to Determined.
    """

    context: pytorch.PyTorchTrialContext
    work_dir: pathlib.Path
    latest_checkpoint: str | None
    warm_start: WarmStart | None = None
    stop_pending: Callable[[], bool]
    before_checkpoint: Callable[[], None] = lambda: None
    code: pathlib.Path | None
    batches: int | None = None
