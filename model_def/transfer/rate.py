"""How many images a second the training's own data loader gives, measured for a few seconds."""

from __future__ import annotations

import copy
import time
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from model_def.data import readable
from model_def.loading.loader import placed

SECONDS = 5.0  # of measuring
BATCHES = 50  # at most


def images_per_second(config: Config) -> float:
    """Images a second of the composed config's training loader, its workers included.

    The clock starts behind the first batch: workers start once. What comes over a network the first time may come from
    the disk cache the second.

    Raises:
        DataError: an image is broken.
    """
    loader_config: dict[str, Any] = copy.deepcopy(config.train_dataloader.to_dict())
    with DefaultScope.overwrite_default_scope(config.get("default_scope", "mmdet")):
        loader = placed(Runner.build_dataloader(loader_config, seed=0), waits=False)
    batches = readable(iter(loader))
    next(batches, None)
    began, count, seconds = time.monotonic(), 0, 0.0
    for number, _ in enumerate(batches, start=1):
        count += config.train_dataloader.batch_size
        seconds = time.monotonic() - began
        if seconds > SECONDS or number == BATCHES:
            break
    return count / seconds if count else 0.0
