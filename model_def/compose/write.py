"""`config.py`: the composed config as a Python file that stock mmdet loads."""

from __future__ import annotations

import os
import pprint
from pathlib import Path

from mmengine.config import Config

from model_def.errors import ConfigError, OutputError


def write_config(config: Config, path: Path) -> None:
    """Write `config` as Python to `path`, whole or not at all, and see that it loads back equal.

    Raises:
        ConfigError: a value has no form in Python that loads back (an infinite float).
        OutputError: the file can't be written.
    """
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        part.write_text(config_text(config), encoding="utf-8")
        _check(config, part)
        os.replace(part, path)
    except OSError as error:
        what = f"config.py can't be written ({error.strerror})"
        allowed = "a directory that you may write, on a disk with room"
        raise OutputError(
            what=what, value=path.name, where=str(path.parent), allowed=allowed, next="choose another one: --output DIR"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def config_text(config: Config) -> str:
    """Python: one assignment for each key, in the config's own order, on every level.

    mmengine's `pretty_text` sorts the keys. That changes what is trained: mmdet's MultiBranch, for example, runs its
    branches in the order of their keys, and each draws random numbers.
    """
    items = config.to_dict().items()
    return "".join(f"{key} = {pprint.pformat(value, width=120, sort_dicts=False)}\n" for key, value in items)


def _check(config: Config, part: Path) -> None:
    try:
        again = Config.fromfile(str(part), import_custom_modules=False).to_dict()
    except (NameError, SyntaxError, TypeError) as error:
        raise _unwritable(str(error)) from error
    before = config.to_dict()
    different = [key for key in before if before[key] != again.get(key)]
    if different:
        raise _unwritable(", ".join(different))


def _unwritable(what: str) -> ConfigError:
    return ConfigError(
        what="the config can't be written as a Python file that loads back equal",
        value=what,
        where="the composed config",
        allowed="numbers (but no infinity), strings, booleans, lists, tuples and mappings with string keys",
        next="write a large number such as 1e8 instead of infinity",
    )
