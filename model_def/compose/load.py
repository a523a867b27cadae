"""One mmengine config file as a plain dict; whatever is wrong with it is a ConfigError with a line."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from model_def.errors import ConfigError


def load_config(path: Path, *, context: Path, where: str) -> dict[str, Any]:
    """What a config file (of either of mmengine's styles) says after its `_base_` chain.

    The config's `custom_imports` are imported, with `context` on `sys.path`, so that the user's own components exist.

    Raises:
        ConfigError: it isn't Python, it raises, a `_base_` is missing, or a module can't be imported.
    """
    _look_in(context)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # configs that announce a new name still work
            warnings.filterwarnings("ignore", message="pkg_resources")  # mmengine's, where a config names a package
            config = Config.fromfile(str(path)).to_dict()
    except Exception as error:  # a config is a program: it may raise anything
        raise _error(error, path, where) from error
    return {key: value for key, value in config.items() if not (callable(value) or isinstance(value, ModuleType))}


def import_modules(custom_imports: dict[str, Any], *, context: Path, where: str) -> None:
    """Import the modules of a `custom_imports` section, which register components of the user's own.

    Raises:
        ConfigError: one can't be imported.
    """
    _look_in(context)
    try:
        import_modules_from_strings(**custom_imports)
    except (ImportError, TypeError) as error:
        raise ConfigError(
            what=f"a module of `custom_imports` can't be imported: {str(error.__cause__ or error).splitlines()[0]}",
            value=custom_imports,
            where=where,
            allowed="{imports: [modules that are installed, or in the current directory], allow_failed_imports: false}",
            next=f"python -c 'import {(custom_imports.get('imports') or ['…'])[0]}'",
        ) from error


def _look_in(context: Path) -> None:
    if str(context) not in sys.path:
        sys.path.insert(0, str(context))


def _error(error: Exception, path: Path, where: str) -> ConfigError:
    chain = _files(error.__traceback__) or [path]
    at = f"{chain[-1]}:{_line(error, chain[-1])}".removesuffix(":0")
    where = f"{at}, from {where}"
    if isinstance(error, SyntaxError):
        what = f"the config isn't Python: {error.msg}"
        return ConfigError(
            what=what, value=(error.text or "").strip() or path.name, where=where, allowed="Python", next=f"mend {at}"
        )
    if isinstance(error, FileNotFoundError):
        missing = error.filename or str(error).split('"')[1:2] or [str(error)]
        name = missing if isinstance(missing, str) else missing[0]
        parent = next((file for file in reversed(chain) if str(file) != os.path.abspath(name)), path)
        return ConfigError(
            what="a `_base_` of the config is missing",
            value=str(name),
            where=f"{parent}, from {where.split(', from ')[-1]}",
            allowed="paths relative to the config that names them",
            next=f"mend `_base_` in {parent}",
        )
    if isinstance(error, ImportError):
        return ConfigError(
            what=f"a module that the config imports can't be imported: {str(error.__cause__ or error).splitlines()[0]}",
            value=path.name,
            where=where,
            allowed="modules that are installed, or in the current directory",
            next="install the package, or choose another config (python -m model_def ls)",
        )
    what = f"the config can't be loaded: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return ConfigError(
        what=what, value=path.name, where=where, allowed="a config that loads by itself", next=f"mend {at}"
    )


def _files(trace: TracebackType | None) -> list[Path]:
    """The config files that mmengine was reading when it failed, outermost first."""
    frames = [frame for frame, _ in traceback.walk_tb(trace)]
    names = [f.f_locals.get("filename") for f in frames if f.f_code.co_name in ("_file2dict", "_parse_lazy_import")]
    return [Path(name) for name in dict.fromkeys(names) if name]


def _line(error: Exception, file: Path) -> int:
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno or 0 for frame in reversed(frames) if frame.filename == str(file)), 0)
