"""Fields of the old adapter's experiment YAML outside of its hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_def.container_image import OWN_IMAGE, named
from model_def.experiment_checks import ENTRYPOINT

TRIAL = "model_hub.mmdetection:MMDetTrial"
IMAGE = "model-hub-mmdetection"


def is_old_entrypoint(entrypoint: Any) -> bool:
    """Whether it starts the old adapter's trial: as a class, or by one of Determined's launchers."""
    text = " ".join(map(str, entrypoint)) if isinstance(entrypoint, list) else str(entrypoint)
    return TRIAL in text


def old_images(environment: Any) -> list[str]:
    """The old adapter's images that an experiment names, all of which have mmdet 2.x."""
    return [name for name in named(environment).values() if IMAGE in name]


def notes(raw: Mapping[str, Any]) -> Iterator[str]:
    """What an experiment YAML of the old adapter should say today."""
    if is_old_entrypoint(raw.get("entrypoint")):
        yield f"entrypoint: {TRIAL} is the old adapter's; write `entrypoint: {ENTRYPOINT}`"
    for image in old_images(raw.get("environment")):
        yield f"environment.image: {image} has mmdet 2.x, which this code can't use on a cluster: {OWN_IMAGE}"
