"""`key=value` arguments that make any experiment small enough to train on a CPU in seconds."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from model_def.compose.tree import Path, dotted
from tests.parity.channels import narrower
from tests.parity.sizes import fewer, smaller_images
from tests.support.shrink import shrink

TIMES_SMALLER = 8


def tiny(config: dict[str, Any]) -> list[str]:
    """For a composed config: smaller images, fewer and narrower layers, no weights from the network, no workers."""
    small = copy.deepcopy(config)
    smaller_images(small, TIMES_SMALLER)
    fewer(small)
    if "decoder" not in small["model"]:  # DINO's encodes its queries in 512 channels, whatever the width
        narrower(small["model"])
    overrides = shrink(small) | {dotted(path): value for path, value in differences(config, small)}
    return [f"{key}={json.dumps(value)}" for key, value in overrides.items()]


def differences(before: Any, after: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The places where `after` has another value than `before`, or one more, with the new value."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in after.items():
            yield from differences(before.get(key), value, (*path, key))
    elif _listed(before) and _listed(after) and len(before) == len(after) and any(isinstance(a, dict) for a in after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, (*path, index))
    elif before != after:
        yield path, after


def _listed(value: Any) -> bool:
    return isinstance(value, list | tuple)
