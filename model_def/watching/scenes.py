"""A few validation images, the same ones at each validation: the truth beside what the model predicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from PIL import Image

from model_def.class_names import class_names
from model_def.drawing import Box, captioned, draw, grid
from model_def.errors import ExperimentError
from model_def.experiment_types import Experiment
from model_def.fields import did_you_mean, nearest
from model_def.pictures import pixels_of, spread, truth
from model_def.predict import boxes_of

_LOOKED_AT = 50  # images for each picture, to find some with objects in them
_SIDE = 320  # of one image, in pixels
_SURE = 0.3  # the score from which a box is drawn


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """One validation image."""

    name: str
    index: int
    truth: tuple[Box, ...]

    def draw(self, dataset: Any, instances: Any) -> Image.Image:
        """The truth on the left, predictions on the right.

        Args:
            dataset: the validation set.
            instances: what mmdet predicts for the image, in the image's own pixels.

        Raises:
            DataError: the image can't be read.
        """
        names = dataset.metainfo["classes"]
        found = boxes_of(instances, names, threshold=_SURE)
        sides = ((self.truth, f"truth: {len(self.truth)}"), (found, f"predictions from {_SURE:g}: {len(found)}"))
        pixels = pixels_of(dataset, self.index)
        several = len(names) > 1
        return grid([[captioned(draw(pixels, boxes, side=_SIDE, show_labels=several), text) for boxes, text in sides]])


def scenes(dataset: Any, experiment: Experiment) -> dict[str, Scene]:
    """The images that are drawn, by their paths; none if they have no boxes, or are frames of videos.

    Args:
        dataset: the validation set; None without validation.
        experiment: says which, or how many.

    Raises:
        ExperimentError: it asks for images that are not there.
    """
    chosen = _chosen(dataset, experiment)
    found = {_path(dataset, index): index for index in chosen}
    return {
        path: Scene(name=PurePath(path).name, index=index, truth=tuple(truth(dataset, index)))
        for path, index in found.items()
    }


def _chosen(dataset: Any, experiment: Experiment) -> list[int]:
    wanted = experiment.hyperparameters.pictures
    drawable = hasattr(dataset, "get_data_info") and class_names(dataset)
    if drawable and not isinstance(wanted, int):
        return [*_named(dataset, wanted, experiment)]
    count = wanted if isinstance(wanted, int) else len(wanted)
    looked_at = spread(range(len(dataset)), _LOOKED_AT * count) if drawable else []
    chosen = spread([index for index in looked_at if truth(dataset, index)], count)
    asked = experiment.raw["hyperparameters"].get("pictures") is not None
    if asked and len(chosen) < count:
        raise ExperimentError(
            what=f"the validation set has {'fewer' if chosen else 'no'} images with boxes to draw",
            value=wanted,
            where=experiment.where("hyperparameters", "pictures"),
            allowed=f"up to {len(chosen)}",
            next=f"write `pictures: {len(chosen)}`, or leave it out",
        )
    return chosen


def _named(dataset: Any, names: Sequence[str], experiment: Experiment) -> Iterator[int]:
    places = {_path(dataset, index): index for index in range(len(dataset))}
    for number, name in enumerate(names):
        index = next((places[path] for path in places if f"/{path}".endswith(f"/{name}")), None)
        if index is None:
            known = [PurePath(path).name for path in places]
            raise ExperimentError(
                what="no image of the validation set has this name",
                value=name,
                where=experiment.where("hyperparameters", "pictures", number),
                allowed=f"{', '.join(known[:3])}, …",
                next=did_you_mean(nearest(name, known)) or "write a number to have some chosen: `pictures: 4`",
            )
        yield index


def _path(dataset: Any, index: int) -> str:
    return str(dataset.get_data_info(index).get("img_path", ""))
