"""What one key of mmdet 2.x means today."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Meaning:
    """The fate of one old key. With neither `new` nor `instead` the key is left out, since it changes nothing.

    Attributes:
        old: the dotted key as it was written.
        new: today's dotted keys and their values.
        why: why nothing is left of the key, or why it can't be translated.
        instead: the line to write; a key that can't be translated has one.
    """

    old: str
    new: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    why: str = ""
    instead: str = ""

    @property
    def note(self) -> str:
        """One sentence for the user."""
        if self.new:
            keys = [key for key in self.new if not key.endswith("._delete_")] or list(self.new)
            return f"`{self.old}` is mmdet 2.x's name: taken as {_listed(keys)}"
        return f"`{self.old}` is mmdet 2.x's and was left out: {self.why}"


def _listed(keys: list[str]) -> str:
    *first, last = (f"`{key}`" for key in keys)
    return f"{', '.join(first)} and {last}" if first else last


@dataclasses.dataclass(frozen=True, kw_only=True)
class Around:
    """What else a key's meaning may depend on.

    Attributes:
        config: the config that the overrides are laid over.
        old: every key of mmdet 2.x in the overrides, dotted.
        metric: the searcher's, whose best checkpoint is kept.
        smaller_is_better: the searcher's.
        seed: the experiment's.
    """

    config: Mapping[str, Any]
    old: Mapping[str, Any]
    metric: str = ""
    smaller_is_better: bool = True
    seed: int = 0


def moved(old: str, *new: str, value: Any) -> Meaning:
    """The same value under other names."""
    return Meaning(old=old, new=dict.fromkeys(new, value))


def left_out(old: str, why: str) -> Meaning:
    """A key that changes nothing."""
    return Meaning(old=old, why=why)


def refused(old: str, why: str, instead: str) -> Meaning:
    """A key whose meaning is gone."""
    return Meaning(old=old, why=why, instead=instead)
