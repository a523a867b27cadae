"""`cp`: starts a new experiment file, from another one or from a config of the zoo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from model_def.catalogue import experiments
from model_def.errors import ExperimentError, OutputError
from model_def.fields import did_you_mean, nearest
from model_def.light import import_lightly
from model_def.zoo import zoo, zoo_names

YAML = (".yaml", ".yml")


def copy(name: str, dest: Path, *, light: bool = False) -> Path:
    """Write a new experiment.

    Args:
        name: an experiment's path or short name, or a config of the zoo, with or without its folder and `.py`.
        dest: a file, or a folder for a file with the short name of what is copied. Nothing is written over.
        light: whether this process does nothing else (see `light`).

    Returns:
        The file.

    Raises:
        ExperimentError: `name` is nothing that can be started from, or several things.
        ConfigError: the config doesn't load here, or doesn't train.
        OutputError: the file is there already, or can't be written.
    """
    source = find(name)
    file = _file(dest, source)
    if source.suffix in YAML:
        text = _renamed(source, file)
    else:
        if light:
            import_lightly()
        from model_def.starting import experiment_for  # heavy: it loads the config

        text = experiment_for(source.relative_to(zoo()).as_posix(), file)
    _write(file, text)
    return file


def find(name: str) -> Path:
    """The file that `name` means: an experiment's own path or name before a config of the zoo.

    Raises:
        ExperimentError: there is none, or more than one.
    """
    if Path(name).is_file() and Path(name).suffix in YAML:
        return Path(name)
    name = name.removeprefix("mmdet::")
    known = {path: [path.as_posix(), path.stem] for path in experiments()}
    configs = {zoo() / each: [each, each.removesuffix(".py"), Path(each).name, Path(each).stem] for each in zoo_names()}
    for group in (known, configs):
        if found := [path for path, names in group.items() if name in names]:
            if len(found) == 1:
                return found[0]
            raise _ambiguous(name, found)
    near = nearest(name, [each for names in (*known.values(), *configs.values()) for each in names])
    raise ExperimentError(
        what="there is no such experiment, nor such a config in the zoo",
        value=name,
        where=str(Path.cwd()),
        allowed="an experiment's path or name, or a config of the zoo",
        next=did_you_mean(near) or "python -m model_def ls WORD",
    )


def _ambiguous(name: str, found: list[Path]) -> ExperimentError:
    root = zoo()
    names = [(path.relative_to(root) if path.is_relative_to(root) else path).as_posix() for path in found]
    return ExperimentError(
        what="this is the name of several",
        value=name,
        where=str(Path.cwd()),
        allowed=", ".join(names),
        next=f"python -m model_def cp {names[0]} …",
    )


def _file(dest: Path, source: Path) -> Path:
    """The file to write.

    Raises:
        OutputError: `dest` is there, or no name for an experiment.
    """
    file = dest if dest.suffix in YAML and not dest.is_dir() else dest / f"{source.stem}.yaml"
    if dest.suffix not in ("", *YAML) and not dest.is_dir():
        what, allowed = "an experiment is a YAML file", "a name that ends in .yaml, or a folder"
        next_step = f"write {dest.with_suffix('.yaml')}"
    elif file.exists():
        what, allowed, next_step = "the file is there already", "a new file", "take another name, or move it away"
    else:
        return file
    raise OutputError(what=what, value=str(file), where=str(file.parent.resolve()), allowed=allowed, next=next_step)


def _renamed(source: Path, file: Path) -> str:
    """The text of an experiment under its new name, with the commands of its comments for the new file.

    Paths in it start at the directory where a command runs, not at the file: they stay as they are.
    """
    text = source.read_text(encoding="utf-8")
    written = sorted({*_written(source)}, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<![\w/.-]){re.escape(each)}(?![\w/-]|\.\w)" for each in written))
    lines = [pattern.sub(file.as_posix(), line) if line.startswith("#") else line for line in text.splitlines(True)]
    name = yaml.safe_dump(file.stem, default_flow_style=True).splitlines()[0]
    return re.sub(r"^name:.*$", lambda _: f"name: {name}", "".join(lines), count=1, flags=re.MULTILINE)


def _written(source: Path) -> Iterator[str]:
    """How the commands in its comments may call it: by the path from here, or from the folder of `experiments/`."""
    yield source.as_posix()
    parts = source.resolve().parts
    if "experiments" in parts:
        yield "/".join(parts[len(parts) - 1 - parts[::-1].index("experiments") :])


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except OSError as error:
        raise OutputError(
            what=f"the experiment can't be written ({error.strerror})",
            value=str(file),
            where=str(file.parent.resolve()),
            allowed="a new file in a folder that can be written",
            next="choose another place",
        ) from error
