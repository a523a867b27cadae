"""Which of many files are there: local ones are looked for, objects are listed with their folder where that is less."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from model_def.files import store
from model_def.storage.address import Address, is_remote
from model_def.storage.client import AccessDenied, Client, ObjectMissing
from model_def.transfer.crowd import Crowd, told
from model_def.transfer.references import Group

BATCH = 200  # local files that are one job
FEW = 20  # objects that are asked for one by one, in one job
# One request lists 1000 objects, and takes the time of some 100 questions about one object each in 16 threads.
LISTED = 10  # objects that may be listed for each one that is wanted


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """Files of one folder, and who knows about them: a client, or None for this machine's disk."""

    folder: str
    paths: tuple[str, ...]
    client: Client | None


class Presence:
    """Finds out which files are there. `sizes` has the bytes of those that are."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self.sizes: dict[str, int] = {}

    def ask(self, groups: Iterable[Group], *, seen: Callable[[int], None], tick: Callable[[], None]) -> None:
        """Look for all files of the groups.

        Args:
            seen: is told how many more were looked for.
            tick: called some times a second.

        Raises:
            DataError: a store can't be asked.
            UserError: some folders can't.
        """
        open_: list[Question] = []

        def look(question: Question) -> None:
            sizes, unknown = _look(question)
            self.sizes.update(sizes)
            open_.extend(_split(question, unknown, FEW))
            seen(len(question.paths) - len(unknown))

        def each(questions: list[Question]) -> None:
            if failures := self._crowd.each(questions, look, tick=tick):
                what, again = "folders could not be looked into", "start again when the store answers"
                raise told(failures, lambda one: one.folder, what=what, of=len(questions), next_step=again)

        each([question for group in groups for question in _questions(group, self.sizes)])
        each(open_)

    def missing(self, group: Group) -> list[str]:
        """Those of its files that aren't there."""
        return [path for path in group.paths if path not in self.sizes]


def backend(path: str, backend_args: Mapping[str, Any] | None) -> Any:
    """mmengine's backend for a path, as a data set gets it, with the default client: workers may still be forked."""
    given = {key: value for key, value in (backend_args or {}).items() if key != "client"}
    return store(path, given)


def _questions(group: Group, known: Mapping[str, int]) -> Iterator[Question]:
    by_folder: dict[str, list[str]] = defaultdict(list)
    for path in group.paths:
        if path not in known:
            by_folder[path.rpartition("/")[0]].append(path)
    for folder, paths in by_folder.items():
        if is_remote(folder):
            yield Question(folder=folder, paths=tuple(paths), client=backend(folder, group.backend_args).client)
        else:
            yield from _split(Question(folder=folder, paths=(), client=None), paths, BATCH)


def _split(question: Question, paths: list[str], size: int) -> Iterator[Question]:
    for start in range(0, len(paths), size):
        yield dataclasses.replace(question, paths=tuple(paths[start : start + size]))


def _look(question: Question) -> tuple[dict[str, int], list[str]]:
    """The bytes of the files that are there, and those of which that isn't known yet."""
    client = question.client
    if client is None:
        return {path: Path(path).stat().st_size for path in question.paths if Path(path).is_file()}, []
    if len(question.paths) <= FEW:
        return _asked(client, question.paths), []
    wanted, limit, listed, sizes = set(question.paths), LISTED * len(question.paths), 0, {}
    try:
        for stat in client.list(Address.parse(question.folder).folder, deep=False, limit=limit):
            listed += 1
            if str(stat.address) in wanted:
                sizes[str(stat.address)] = stat.size
    except AccessDenied:  # who may read need not be allowed to list
        return {}, list(question.paths)
    return sizes, [] if listed < limit else sorted(wanted - sizes.keys())


def _asked(client: Client, paths: Sequence[str]) -> dict[str, int]:
    """The bytes of each object that is there.

    Raises:
        BucketMissing: not even the bucket is: the answer to a question about one object doesn't tell that.
    """
    sizes = {}
    for path in paths:
        with contextlib.suppress(ObjectMissing):
            sizes[path] = client.head(Address.parse(path)).size
    if not sizes:
        with contextlib.suppress(AccessDenied):
            next(client.list(dataclasses.replace(Address.parse(paths[0]), key=""), limit=1), None)
    return sizes
