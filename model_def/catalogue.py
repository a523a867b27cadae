"""What there is to train: the experiments of this project, and the configs of mmdet's zoo."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

_HERE = Path(__file__).parent.parent


def listing(words: Sequence[str] = ()) -> Iterator[str]:
    """The lines of `python -m model_def ls`: experiments, then the zoo's configs, that match all of the words."""
    found = [(str(path), title(path)) for path in experiments() if _matches(f"{path} {title(path)}", words)]
    width = max((len(name) for name, _ in found), default=0)
    yield from (f"{name:<{width}}  {text}".rstrip() for name, text in found)
    if not words:
        yield f"\n{len(zoo())} configs of the zoo fit hyperparameters.config_file; search: python -m model_def ls WORD…"
        return
    configs = [name for name in zoo() if _matches(name, words)]
    if configs:
        yield "\nzoo configs (for hyperparameters.config_file):"
        yield from configs
    elif not found:
        yield f"nothing matches {' '.join(words)!r}"


def experiments() -> list[Path]:
    """The experiment files below `experiments/`: of the current directory, else of this project."""
    folder = Path("experiments")
    if not folder.is_dir():
        folder = _HERE / "experiments"
    return sorted(folder.rglob("*.yaml"))


def title(path: Path) -> str:
    """The first comment line of an experiment file."""
    lines = path.read_text(errors="replace").splitlines()
    return next((line.lstrip("# ").rstrip() for line in lines if line.startswith("#") and line.strip("# ")), "")


def zoo() -> list[str]:
    """The zoo's configs as names for `config_file`. They come with mmdet, which need not be imported for it."""
    spec = importlib.util.find_spec("mmdet")
    folders = [Path(place) / ".mim" / "configs" for place in (spec.submodule_search_locations or ())] if spec else []
    paths = (path.relative_to(folder) for folder in folders for path in folder.rglob("*.py"))
    return sorted(str(path) for path in paths if not any(part.startswith("_") for part in path.parts))


def _matches(text: str, words: Sequence[str]) -> bool:
    return all(word.lower() in text.lower() for word in words)
