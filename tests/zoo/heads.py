"""Did another number of classes change those sizes of a model that depend on it, and no others?

Judged by the built models alone: what a config says, or what changed it, isn't asked.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

# A layer has so many outputs more than classes: none, the background, background and objectness (Seesaw's), or a box
# and objectness (YOLOv3's).
EXTRA = (0, 1, 2, 5)
ABOUT_CLASSES = re.compile(r"class|cls|things|stuff")
THE_NUMBER = re.compile(r"num_(things_|stuff_)?classes")
ONE_CLASS = re.compile(r"(^|\.)rpn_head(\.|$)")  # object or not
NOT_HEADS = re.compile(r"(^|\.)(backbone|neck|language_model|data_preprocessor|text_feat_map)(\.|$)")
TELLING = 13  # a size of so many classes or more is hardly a coincidence,
WIDTHS = (256,)  # but for that of most layers


@dataclasses.dataclass(frozen=True, kw_only=True)
class Count:
    """A number of classes: the config's own, and the one asked for."""

    before: int
    after: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found.

    Attributes:
        changed: the tensors whose sizes differ, with both sizes.
        mistakes: sizes that are wrong, or that should have changed; empty if all is well.
    """

    changed: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    mistakes: tuple[str, ...]


def compare(before: nn.Module, after: nn.Module, counts: Sequence[Count]) -> Verdict:
    """Compare a model with the same one for other numbers of classes."""
    old, new = _sizes(before), _sizes(after)
    changed = {name: (old[name], new[name]) for name in old if name in new and old[name] != new[name]}
    mistakes = [f"{name} is only in one of the models" for name in sorted({*old} ^ {*new})]
    mistakes += [f"{name} {a} became {b}" for name, (a, b) in changed.items() if not _right(a, b, counts)]
    mistakes += _left_behind(before, after, counts)
    mistakes += [
        f"{name} {size} stayed as it was"
        for name, size in new.items()
        if name not in changed and not NOT_HEADS.search(name) and _telling(size, counts)
    ]
    return Verdict(changed=changed, mistakes=tuple(mistakes))


def _sizes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(each.shape) for found in (model.named_parameters(), model.named_buffers()) for name, each in found
    }


def _right(before: tuple[int, ...], after: tuple[int, ...], counts: Sequence[Count]) -> bool:
    return len(before) == len(after) and all(
        a == b or _explained(a, b, counts) for a, b in zip(before, after, strict=True)
    )


def _explained(before: int, after: int, counts: Sequence[Count]) -> bool:
    """Whether both are the same multiple (anchors, coordinates) of the number of outputs, or features beside them."""
    beside = any(before > count.before and before - after == count.before - count.after for count in counts)
    return beside or any(
        before % (count.before + extra) == 0 and after == before // (count.before + extra) * (count.after + extra)
        for count in counts
        for extra in EXTRA
    )


def _telling(size: tuple[int, ...], counts: Sequence[Count]) -> bool:
    numbers = {c.before + extra for c in counts if c.before != c.after and c.before >= TELLING for extra in EXTRA[:2]}
    return bool(size) and size[0] in numbers - {*WIDTHS}


def _left_behind(before: nn.Module, after: nn.Module, counts: Sequence[Count]) -> Iterator[str]:
    """Attributes that count the classes, as they were."""
    right = {count.after + extra for count in counts for extra in EXTRA[:2]}
    wrong = {count.before + extra for count in counts for extra in EXTRA[:2]} - right
    old = dict(_numbers(before))
    for name, value in _numbers(after):
        sure = value >= TELLING or THE_NUMBER.search(name)
        elsewhere = ONE_CLASS.search(name) or NOT_HEADS.search(name)
        if value in wrong and old.get(name) == value and sure and not elsewhere:
            yield f"{name} is still {value}"


def _numbers(model: nn.Module) -> Iterator[tuple[str, int]]:
    """Numbers, and lengths of lists, that modules keep under a name that speaks of classes."""
    for name, module in model.named_modules():
        for key, value in vars(module).items():
            if ABOUT_CLASSES.search(key) and (size := _number(value)) is not None:
                yield f"{name}.{key}", size


def _number(value: Any) -> int | None:
    if isinstance(value, list | tuple):
        return len(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
