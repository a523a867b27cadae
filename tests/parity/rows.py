"""Results: one JSON file for each config, so that a run can be stopped and goes on."""

from __future__ import annotations

import functools
import hashlib
import json
import pathlib
from typing import Any

ROOT = pathlib.Path(__file__).parents[2]


class Rows:
    """The rows below `folder`, which depend on all code in `code`."""

    def __init__(self, folder: pathlib.Path, code: tuple[str, ...] = ("model_def", "tests/parity")) -> None:
        self.folder, self.code = folder / "rows", code
        self.folder.mkdir(parents=True, exist_ok=True)

    def has(self, name: str) -> bool:
        """Whether `name` was compared already."""
        return self._path(name).exists()

    def keep(self, row: dict[str, Any]) -> None:
        """Write a row, with the code that it holds for."""
        part = self._path(row["config"]).with_suffix(".part")
        part.write_text(json.dumps({**row, "code": fingerprint(self.code)}, indent=1))
        part.rename(self._path(row["config"]))

    def all(self) -> list[dict[str, Any]]:
        """Every row, by name."""
        return sorted((json.loads(path.read_text()) for path in self.folder.glob("*.json")), key=lambda r: r["config"])

    def stale(self, names: list[str]) -> int:
        """How many rows were made with other code."""
        return sum(row["config"] in names and row["code"] != fingerprint(self.code) for row in self.all())

    def _path(self, name: str) -> pathlib.Path:
        return self.folder / (name.replace("/", "+") + ".json")


@functools.cache
def fingerprint(code: tuple[str, ...] = ("model_def", "tests/parity")) -> str:
    """Stands for all code in these folders."""
    found = hashlib.sha256()
    for folder in code:
        for path in sorted((ROOT / folder).rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:12]
