"""The config files of an experiment, each laid over the ones before, and where they write a value."""

from __future__ import annotations

import dataclasses
import os.path
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

from model_def.assignments import OVERRIDES
from model_def.compose.find import find_config, renaming_note
from model_def.compose.given import sets
from model_def.compose.lines import Written, written
from model_def.compose.load import load_config
from model_def.compose.origin import Layer, from_file
from model_def.compose.tree import Path, has, merged
from model_def.errors import Mistakes
from model_def.experiment_types import Experiment
from model_def.migrate.written import check_file
from model_def.zoo import zoo


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConfigFile:
    """One `config_file` or `merge_config`.

    Attributes:
        name, named: what the experiment calls it, and where.
        loaded: what it says, with its `_base_` chain.
        before, after: the config without it and with it.
    """

    name: str
    named: str
    path: File
    loaded: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]

    def written(self, path: Path) -> Written | None:
        """The line of this file, or of its bases, that gives the value at `path`."""
        return next(written(self.path, path), None)

    def place(self, line: object, context: File) -> str:
        """`more.py:3:9, from tiny.yaml:6:3 (hyperparameters.merge_config.0)`; `line` is one of its own or of a base."""
        return f"{shown(line, context)}, from {self.named}"


def read(experiment: Experiment) -> tuple[ConfigFile, ...]:
    """`config_file`, then every `merge_config` in order.

    Raises:
        ConfigError: files are missing, broken or written for mmdet 2.x; with all of them.
    """
    mistakes, found, result = Mistakes(), [], list[ConfigFile]()
    for name, named in _named(experiment):
        with mistakes.noted():
            found.append((name, named, find_config(name, context=experiment.directory, where=named)))
    for name, named, path in found:
        with mistakes.noted():
            result.append(_read(name, named, path, result[-1].after if result else {}, experiment.directory))
    mistakes.tell()
    return tuple(result)


def files(experiment: Experiment) -> Iterator[Layer]:
    """`config_file` with every `merge_config` laid over it, in order."""
    return (from_file(one.path, one.after) for one in read(experiment))


def renamed(read: tuple[ConfigFile, ...]) -> Iterator[str]:
    """Notes for names that are mmdet 2.x's."""
    return (note for one in read if (note := renaming_note(one.name, one.path)))


def idle(read: tuple[ConfigFile, ...]) -> Iterator[str]:
    """Notes for files that were laid over a config which has all of it already."""
    for one in read[1:]:
        if one.after == one.before:
            yield f"`merge_config` {one.name} changes nothing: the config has all of it already"


def place(read: tuple[ConfigFile, ...], path: Path, context: File) -> str:
    """Where the files give the value at `path`: `more.py:3:9, from tiny.yaml:6:3 (hyperparameters.merge_config.0)`."""
    for one in reversed(read):
        if has(one.loaded, path):
            return one.place(one.written(path) or one.path, context)
    return ""


def chosen(read: tuple[ConfigFile, ...], experiment: Experiment, config: dict[str, Any], *path: str | int) -> str:
    """Where the value of `config` at `path` was chosen: an override, a line of the files, else what can override it."""
    given = experiment.source.has(*OVERRIDES, *path) or (
        has(config, path) and sets(experiment.hyperparameters.override_mmdet_config, config, path)
    )
    return ("" if given else place(read, path, experiment.directory)) or experiment.where(*OVERRIDES, *path)


def is_ours(file: File) -> bool:
    """Whether the user can mend a config file: those of the zoo are as they are."""
    return not file.is_relative_to(zoo())


def _read(name: str, named: str, path: File, before: dict[str, Any], context: File) -> ConfigFile:
    loaded = load_config(path, context=context, where=named)
    check_file(loaded, before, name, named)
    after = merged(before, loaded)
    return ConfigFile(name=name, named=named, path=path, loaded=loaded, before=before, after=after)


def _named(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """The name and the place of every config file that the experiment gives."""
    yield experiment.hyperparameters.config_file, experiment.where("hyperparameters", "config_file")
    for index, name in enumerate(experiment.hyperparameters.merge_config):
        yield name, experiment.where("hyperparameters", "merge_config", index)


def shown(place: object, context: File) -> str:
    """A path, or a place in a file, as the user knows it: relative to the context where it is inside."""
    plain = os.path.normpath(str(place))
    if plain.startswith(f"{zoo()}/"):
        return f"mmdet::{plain.removeprefix(f'{zoo()}/')}"
    return plain.removeprefix(f"{context}/")
