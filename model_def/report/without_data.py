"""The schedule and the validations of a training whose data isn't there yet."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from model_def.compose.learning_rate import RATE, scale
from model_def.compose.tree import get
from model_def.migrate.length import by_epoch, training_images
from model_def.report.curve import curve
from model_def.report.rates import Length

BATCHES = 1000  # of an epoch, where nobody knows


def schedule(config: dict[str, Any], images: int, context: Path) -> str:
    """What can be said of the composed `config` when `images` make a batch, over all processes.

    An epoch has the length that the annotations say, COCO's where they would be COCO's, else a round number.
    """
    loop, epochs = config["train_cfg"], by_epoch(config)
    known = training_images(config, {}, context)
    batches = math.ceil(known / images) if known else BATCHES
    unit, count = ("epoch", int(loop["max_epochs"])) if epochs else ("batch", int(loop["max_iters"]))
    length = Length(total=count * (batches if epochs else 1), batches=batches, epochs=count if epochs else None)
    drawn = _drawn(config, images, length)
    lines = [_many(count, unit), *([f"{drawn.bars()}", drawn.text()] if drawn else [])]
    if epochs:
        lines[0] += f" of {batches:,} batches" if known else f", drawn as if an epoch had {batches:,} batches"
    if config.get("val_cfg"):
        every = int(loop.get("val_interval") or 1)
        lines.append(f"a validation after every {unit if every == 1 else _many(every, unit)}")
    return "\n".join(lines)


def _drawn(config: dict[str, Any], images: int, length: Length) -> Any:
    rate = get(config, RATE)
    if not isinstance(rate, int | float) or not config.get("param_scheduler"):
        return None
    return curve(config["param_scheduler"], rate * scale(config, images), length)


def _many(count: int, unit: str) -> str:
    plural = {"epoch": "epochs", "batch": "batches"}[unit]
    return f"{count:,} {unit if count == 1 else plural}"
