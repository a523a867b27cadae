"""The classes of a data set, and every place where a model counts them."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from model_def.compose.tree import dicts

# Parts whose classes are not those of the objects: an RPN has one, a semantic head those of its maps.
OTHER_CLASSES = {"semantic_head", "rpn_head", "backbone"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classes:
    """The names of what a model tells apart, in the order of its labels.

    Attributes:
        things: objects, which have boxes.
        stuff: what has none, such as the sky; None where there are no panoptic segments.
    """

    things: tuple[str, ...]
    stuff: tuple[str, ...] | None = None

    def metainfo(self) -> dict[str, Any]:
        """What mmdet's data sets want to know."""
        if self.stuff is None:
            return {"classes": self.things}
        return {"classes": self.things + self.stuff, "thing_classes": self.things, "stuff_classes": self.stuff}


def with_classes(model: dict[str, Any], things: int, stuff: int | None = None) -> dict[str, Any]:
    """A copy of the model's config that tells `things` classes apart, wherever it has `num_classes`.

    Args:
        things: how many classes of objects.
        stuff: how many classes without boxes a panoptic model has; None leaves that as it is.
    """
    model = copy.deepcopy(model)
    for path, node in dicts(model):
        if "num_classes" in node and not OTHER_CLASSES & {*path}:
            _resize_weights(node, before=node["num_classes"], after=things)
            node["num_classes"] = things
        if "num_things_classes" in node:
            before = node.get("num_stuff_classes", 0)
            after = before if stuff is None else stuff
            _resize_weights(node, before=node["num_things_classes"] + before, after=things + after)
            node["num_things_classes"] = things
            if "num_stuff_classes" in node:
                node["num_stuff_classes"] = after
    return model


def _resize_weights(head: dict[str, Any], *, before: int, after: int) -> None:
    """One weight for each class in the head's losses; the last weight is the background's."""
    for loss in (value for value in head.values() if isinstance(value, dict)):
        weights = loss.get("class_weight")
        if isinstance(weights, list | tuple) and len(weights) == before + 1:
            loss["class_weight"] = [weights[0]] * after + [weights[-1]]
