"""Config files that are written for mmdet 2.x: mmengine would take their sections and never look at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_def.errors import ConfigError, Problem
from model_def.migrate.meaning import Around, Meaning
from model_def.migrate.overrides import translate

SECTIONS = (
    *("data", "optimizer", "optimizer_config", "fp16", "lr_config", "runner", "total_epochs", "evaluation"),
    *("checkpoint_config", "log_config", "workflow", "resume_from"),
)
SHOWN = 6


def check_file(loaded: Mapping[str, Any], before: Mapping[str, Any], name: str, where: str) -> None:
    """Refuse a file whose sections nothing would read.

    Args:
        loaded: what the file says.
        before: the config that it is laid over; empty for the first one.

    Raises:
        ConfigError: it is written for mmdet 2.x, with what to write instead.
    """
    if not before and "data" in loaded and "optimizer" in loaded and "train_dataloader" not in loaded:
        raise ConfigError(
            what="this config is written for mmdet 2.x",
            value=name,
            where=where,
            allowed="mmdet 3.x's config files",
            next="take today's config of that model (python -m model_def ls) and write your changes over it",
        )
    if problems := [problem for problem in _inert(loaded, before, where) if before]:
        raise ConfigError.of(problems)


def _inert(loaded: Mapping[str, Any], before: Mapping[str, Any], where: str) -> Iterator[Problem]:
    old = {name: loaded[name] for name in SECTIONS if name in loaded}
    found = translate(old, Around(config=before, old={}))
    for name, value in old.items():
        own = [one for one in found.meanings if one.old.partition(".")[0] == name]
        if {key.partition(".")[0] for one in own for key in one.new} & {*loaded}:
            continue  # a variable of the file, for a section of today
        yield Problem(
            what=f"`{name}` in a config file is mmdet 2.x's: nothing reads it",
            value=value,
            where=where,
            allowed="sections of mmdet 3.x",
            next=f"write instead, in the file or in override_mmdet_config: {_instead(own)}",
        )


def _instead(meanings: list[Meaning]) -> str:
    new = [f"{key}: {value}" for one in meanings for key, value in one.new.items()]
    lines = [*new, *(one.instead for one in meanings if one.instead)]
    more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return ", ".join(lines[:SHOWN] + more) or "nothing, it has no effect"
