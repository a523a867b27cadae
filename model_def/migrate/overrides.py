"""`override_mmdet_config` of mmdet 2.x as today's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from model_def.errors import Problem
from model_def.experiment_fields import is_searched
from model_def.migrate import data, schedule
from model_def.migrate.keys import meaning
from model_def.migrate.meaning import Around, Meaning, refused

# Mappings that are values: what is below them are no keys of a config.
WHOLE = ("custom_keys", "loss_scale")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Translated:
    """Translated overrides.

    Attributes:
        overrides: today's.
        meanings: what became of each key of mmdet 2.x, in the order they were written.
    """

    overrides: dict[str, Any]
    meanings: tuple[Meaning, ...]

    @property
    def refused(self) -> tuple[Meaning, ...]:
        """Those that can't be translated."""
        return tuple(found for found in self.meanings if found.instead)


def translate(overrides: Mapping[str, Any], around: Around) -> Translated:
    """`overrides` with every key of mmdet 2.x in today's form; everything else stays as it was written.

    Args:
        overrides: dotted keys, nested mappings, or both; not changed.
        around: what else decides (`around.old` is filled in here).
    """
    flat = {key: value for name, section in overrides.items() for key, value in leaves(name, section)}
    around = dataclasses.replace(around, old=flat)
    meanings = {found.old: found for found in _meanings(flat, around)}
    meanings |= {found.old: found for found in _twice(meanings, flat)}
    result: dict[str, Any] = {}
    for name, section in overrides.items():
        keys = dict(leaves(name, section))
        if not any(key in meanings for key in keys):
            result[name] = section
            continue
        for key, value in keys.items():
            result |= meanings[key].new if key in meanings else {key: value}
    return Translated(overrides=result, meanings=tuple(meanings[key] for key in flat if key in meanings))


def leaves(name: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """Every value with its dotted key; a list, a search and a mapping that is a value count as one."""
    last = str(name).rpartition(".")[2]
    if not isinstance(value, dict) or not value or is_searched(value) or last in WHOLE:
        yield str(name), value
        return
    for key, item in value.items():
        yield from leaves(f"{name}.{key}", item)


def _meanings(flat: Mapping[str, Any], around: Around) -> Iterator[Meaning]:
    sections: dict[str, dict[str, Any]] = {"data": {}, "schedule": {}}
    for key, value in flat.items():
        first = key.partition(".")[0]
        section = "schedule" if first in schedule.SECTIONS else first
        if section in sections:
            sections[section][key] = value
        elif found := meaning(key, value, around):
            yield found if not _computed(found, value) else _search(found)
    for found in (*data.data(sections["data"], around), *schedule.schedule(sections["schedule"], around)):
        if found:
            yield found if not _computed(found, flat[found.old]) else _search(found)


def _computed(found: Meaning, value: Any) -> bool:
    """Whether a search would be lost: its key isn't merely moved."""
    return is_searched(value) and not all(new is value for new in found.new.values())


def _search(found: Meaning) -> Meaning:
    why = "a search can't be translated where the value is computed"
    return refused(found.old, why, f"{next(iter(found.new), found.old)}: {{type: …}}")


def _twice(meanings: Mapping[str, Meaning], flat: Mapping[str, Any]) -> Iterator[Meaning]:
    """Keys that say differently what another one, old or new, has said."""
    said = {key: (key, value) for key, value in flat.items() if key not in meanings}
    for found in meanings.values():
        for key, value in found.new.items():
            other, before = said.setdefault(key, (found.old, value))
            if other != found.old and before != value:
                yield refused(found.old, f"`{other}` sets `{key}` as well, differently", f"{key}: …, once")


def problem(found: Meaning, value: Any, where: str) -> Problem:
    """The message for a key that can't be translated."""
    return Problem(
        what=f"`{found.old}` is mmdet 2.x's, and can't be translated: {found.why}",
        value=value,
        where=where,
        allowed="mmdet 3.x's keys, and those of mmdet 2.x that have a counterpart",
        next=f"write `{found.instead}`",
    )
