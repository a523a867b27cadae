"""The zoo's check itself: sizes that did not follow the number of classes must be seen."""

from __future__ import annotations

import pytest
from torch import nn

from tests.zoo.heads import Count, compare

COCO = (Count(before=80, after=3),)


class Head(nn.Module):
    def __init__(self, classes: int, *, anchors: int = 9, channels: int = 80, weights: int = 0) -> None:
        super().__init__()
        self.num_classes = classes
        self.class_weight = [1.0] * (weights or classes + 1)
        self.convs = nn.Linear(64, channels)
        self.cls = nn.Linear(channels, anchors * classes)
        self.softmax = nn.Linear(channels, classes + 1)


def detector(head: nn.Module) -> nn.Module:
    return nn.ModuleDict({"backbone": nn.Linear(3, 80), "head": head})


def test_sizes_that_follow_are_right() -> None:
    verdict = compare(detector(Head(80, channels=64)), detector(Head(3, channels=64)), COCO)
    assert verdict.mistakes == ()
    assert verdict.changed["head.cls.weight"] == ((720, 64), (27, 64))
    assert set(verdict.changed) == {
        f"head.{name}" for name in ("cls.weight", "cls.bias", "softmax.weight", "softmax.bias")
    }


def test_the_same_number_of_classes_changes_nothing() -> None:
    verdict = compare(detector(Head(3)), detector(Head(3)), [Count(before=3, after=3)])
    assert verdict.mistakes == ()
    assert not verdict.changed


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (Head(80, channels=64), "head.num_classes is still 80"),
        (Head(4, channels=64), "head.softmax.weight (81, 64) became (5, 64)"),
        (Head(3, channels=64, anchors=8), "head.cls.weight (720, 64) became (24, 64)"),
        (Head(3, channels=64, weights=81), "head.class_weight is still 81"),
        (nn.Linear(3, 3), "is only in one of the models"),
    ],
)
def test_wrong_sizes_are_seen(head: nn.Module, says: str) -> None:
    verdict = compare(detector(Head(80, channels=64)), detector(head), COCO)
    assert says in "; ".join(verdict.mistakes)


def test_a_layer_that_kept_the_old_size_is_seen() -> None:
    head = Head(3, channels=64)
    head.softmax = nn.Linear(64, 81)
    assert (
        "head.softmax.weight (81, 64) stayed as it was"
        in compare(detector(Head(80, channels=64)), detector(head), COCO).mistakes
    )
