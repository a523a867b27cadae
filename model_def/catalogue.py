"""What there is to train: the experiments of this project, and the configs of mmdet's zoo with what it publishes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from model_def.fields import did_you_mean, nearest
from model_def.published import LOADER, Published, published
from model_def.zoo import zoo_names

WIDTH = 120  # of a line
_SHORT = {"box AP": "box", "mask AP": "mask"}  # scores with a column of their own, the first one ranks
_HEADER = ("box", "mask", "other", "GB", "weights")
_HERE = Path(__file__).parent.parent


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One config of the zoo."""

    name: str
    row: Published

    @property
    def text(self) -> str:
        """What a word may be found in."""
        return f"{self.name} {self.row.family} {' '.join(self.row.datasets)}"


def listing(words: Sequence[str] = ()) -> Iterator[str]:
    """The lines of `python -m model_def ls`: experiments, then the zoo's configs, that match all of the words."""
    known = published()
    found = [path for path in experiments() if _matches(f"{path} {title(path)}", words)]
    width = max((len(str(path)) for path in found), default=0)
    for path in found:
        row = trained(path, known) or Published()
        scores = "".join(f", {name} {value:.1f}" for name, value in row.scores.items())
        yield f"{path!s:<{width}}  {_cut(title(path), WIDTH - width - 2 - len(scores))}{scores}".rstrip()
    if not words:
        yield f"\n{len(zoo_names())} configs of the zoo fit hyperparameters.config_file: python -m model_def ls WORD…"
        return
    entries = search(words, known)
    if entries:
        yield from [""] if found else []
        yield "zoo configs (for hyperparameters.config_file) with the published AP, GB to train on each GPU, weights:"
        yield from table(entries)
    elif not found:
        yield nothing(words)


def as_json(words: Sequence[str] = ()) -> str:
    """The same as a JSON object of two lists, every config of the zoo if there are no words."""
    mine = [{"path": str(p), "title": title(p)} for p in experiments() if _matches(f"{p} {title(p)}", words)]
    configs = [{"config_file": entry.name, **dataclasses.asdict(entry.row)} for entry in search(words, published())]
    return json.dumps({"experiments": mine, "zoo": configs}, indent=1)


def search(words: Sequence[str], known: Mapping[str, Published]) -> list[Entry]:
    """The zoo's configs that match all of the words: folder by folder, in each the best score first.

    A folder that is itself one of the words comes before those that only contain it.
    """
    wanted = {word.lower() for word in words}
    entries = [Entry(name=name, row=known.get(name) or Published()) for name in zoo_names()]
    found = [entry for entry in entries if _matches(entry.text, words)]

    def rank(entry: Entry) -> tuple[bool, str, float, str]:
        folder = entry.name.rpartition("/")[0]
        return folder not in wanted, folder, -next(iter(_ranked(entry.row)), -1.0), entry.name

    return sorted(found, key=rank)


def table(entries: Sequence[Entry]) -> Iterator[str]:
    """A header and a line for each entry, aligned, columns in which nobody has anything left out."""
    rows = [(entry.name, *_cells(entry.row)) for entry in entries]
    rows.insert(0, ("", *_HEADER))
    used = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in used]
    room = WIDTH - sum(widths[1:]) - 2 * len(widths[1:])
    for name, *cells in zip(*used, strict=True):
        numbers = "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        yield f"{name:<{min(widths[0], room)}}{numbers}".rstrip()


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


def trained(path: Path, known: Mapping[str, Published]) -> Published | None:
    """What is published for the config that an experiment trains just as it is in the zoo; None if it changes it."""
    content = yaml.load(path.read_text(errors="replace"), LOADER)
    own = content.get("hyperparameters") if isinstance(content, dict) else None
    if not isinstance(own, dict) or any(own.get(key) for key in ("merge_config", "override_mmdet_config", "dataset")):
        return None
    return known.get(str(own.get("config_file")))


def nothing(words: Sequence[str]) -> str:
    """That nothing matches, with the names that look most like the words."""
    names = [*zoo_names(), *map(str, experiments())]
    parts = {part.lower(): None for name in names for part in Path(name).with_suffix("").parts}
    near = [
        hint for word in words if not any(_matches(part, [word]) for part in parts) for hint in nearest(word, parts)
    ]
    whole = f" ({did_you_mean(near)})" if near else ""
    return f"nothing matches {' '.join(words)!r}{whole}"


def _cells(row: Published) -> tuple[str, ...]:
    other = (f"{name.removesuffix(' AP')} {value:.1f}" for name, value in row.scores.items() if name not in _SHORT)
    ap = (f"{row.scores[name]:.1f}" if name in row.scores else "" for name in _SHORT)
    memory = f"{row.memory:.1f}" if row.memory else ""
    return (*ap, next(other, ""), memory, "yes" if row.weights else "")


def _ranked(row: Published) -> Iterable[float]:
    return (*(row.scores[name] for name in _SHORT if name in row.scores), *row.scores.values())


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: max(room - 1, 0)]}…"


def _matches(text: str, words: Sequence[str]) -> bool:
    return all(word.lower() in text.lower() for word in words)
