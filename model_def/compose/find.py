"""Which file a `config_file` or `merge_config` names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from model_def.errors import ConfigError
from model_def.fields import did_you_mean, nearest
from model_def.migrate.names import renamed
from model_def.zoo import configs_of, zoo, zoo_names

CONFIG_DIR = "MMDETECTION_CONFIG_DIR"
SUFFIXES = (".py", ".yaml", ".yml", ".json")


def find_config(name: str, *, context: Path, where: str) -> Path:
    """The first that exists of: an absolute path; a path in `context` (the current directory); below the folder that
    `$MMDETECTION_CONFIG_DIR` names; below mmdet's zoo; the zoo's config that mmdet 2.x called so. `mmdet::…` is below
    mmdet's zoo only, and so for another package that ships configs. The `.py` may be left out everywhere.

    Raises:
        ConfigError: there is no such file or package; with the nearest names of the zoo and of the context.
    """
    package, _, path = name.rpartition("::")
    folders = [_of_package(package, name, where)] if package else _folders(context)
    for folder in folders:
        for candidate in (folder / path, folder / f"{path}.py"):
            if candidate.is_file() and candidate.suffix in SUFFIXES:
                return candidate
    if zoo() in folders and (current := renamed(path, zoo_names())):
        return zoo() / current
    near = _nearest(path, context)
    raise ConfigError(
        what="no such config file",
        value=name,
        where=where,
        allowed=f"an absolute path, or a path below {', '.join(map(str, folders))}",
        next=did_you_mean(near) or "python -m model_def ls",
    )


def renaming_note(name: str, found: Path) -> str | None:
    """What to tell the user where `name` is mmdet 2.x's name of the zoo's config `found`."""
    if not found.is_relative_to(zoo()):
        return None
    current = found.relative_to(zoo()).as_posix()
    if Path(name) == found or Path(name.removeprefix("mmdet::")).as_posix() in (current, current.removesuffix(".py")):
        return None
    return f"`{name}` is mmdet 2.x's name: taken as `{current}`"


def _of_package(package: str, name: str, where: str) -> Path:
    if found := configs_of(package):
        return found
    allowed = "mmdet::…, or another package that is installed and ships configs"
    raise ConfigError(what=f"the package {package} isn't installed", value=name, where=where, allowed=allowed)


def _folders(context: Path) -> list[Path]:
    extra = os.environ.get(CONFIG_DIR)
    return [context, *([Path(extra).expanduser()] if extra else []), zoo()]


def _nearest(name: str, context: Path) -> list[str]:
    # mmdet 3 renamed `mask_rcnn_r50` to `mask-rcnn_r50`: compare without that difference, and file names first.
    plain = {_plain(known): known for known in [*zoo_names(), *_in_context(name, context)]}
    by_file = {known.rsplit("/", 1)[-1]: known for known in plain}
    close = nearest(_plain(name).rsplit("/", 1)[-1], by_file) or nearest(_plain(name), plain)
    return [plain[by_file.get(found, found)] for found in close]


def _plain(name: str) -> str:
    return name.lower().removesuffix(".py").replace("-", "_")


def _in_context(name: str, context: Path) -> Iterator[str]:
    folder = (context / name).parent
    for path in sorted(folder.glob("*.py")) if folder.is_dir() else ():
        yield path.relative_to(context).as_posix() if path.is_relative_to(context) else str(path)
