"""`data check`: is every file there that an experiment reads?"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from model_def.compose import Composed, compose
from model_def.errors import DataError
from model_def.experiment_types import Experiment
from model_def.transfer.crowd import Crowd
from model_def.transfer.meter import Meter, sized
from model_def.transfer.near import near
from model_def.transfer.presence import Presence
from model_def.transfer.references import Group, lists, referenced

SHOWN = 10  # missing files that are named on the screen
THREADS = 16


class Inventory:
    """The files of an experiment: what is listed where, and what of it is there."""

    def __init__(self, experiment: Experiment, console: Console, *, missing: Path) -> None:
        """`missing` is the file that all missing names are written to, if the screen shouldn't hold them."""
        self._experiment, self._console, self._file = experiment, console, missing
        self._presence = Presence(Crowd(threads=THREADS))
        self.groups: list[Group] = []

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file that is there."""
        return self._presence.sizes

    def take(self) -> Composed:
        """Look for everything, and tell what there is.

        Raises:
            ConfigError: the config or a data set can't be built.
            DataError: files are missing, or a store can't be asked.
        """
        composed = compose(self._experiment, slots=self._experiment.slots_per_trial)
        listing = lists(composed.config.to_dict())
        self._look(listing)
        without_list = {group.place for group in listing if self._presence.missing(group)}
        others = [] if self._made() else list(referenced(composed, self._experiment, left_out=without_list))
        self._look(others)
        self.groups = [*listing, *others]
        for group in self.groups:
            self._tell(f"{group.place}: {self._count(group)}")
        if lost := {path: group for group in self.groups for path in self._presence.missing(group)}:
            raise self._missing(lost)
        return composed

    def _made(self) -> bool:
        """Whether images are made instead of read: then there are none to look for."""
        given = self._experiment.hyperparameters.file_client_args
        return given is not None and given.backend == "fake"

    def _look(self, groups: Sequence[Group]) -> None:
        total = len({path for group in groups for path in group.paths})
        meter = Meter(self._console, what="files looked for", items=total)
        with meter:
            self._presence.ask(groups, seen=lambda count: meter.add(items=count), tick=meter.show)

    def _count(self, group: Group) -> str:
        there = [self.sizes[path] for path in group.paths if path in self.sizes]
        first, total = group.paths[0], len(group.paths)
        count = f"{total:,}" if len(there) == total else f"{len(there):,} of {total:,}"
        where = first if total == 1 else f"{first.rpartition('/')[0] or '.'}/"
        return f"{count} {group.kind}, {sized(sum(there))}: {where}"

    def _missing(self, lost: dict[str, Group]) -> DataError:
        for path, group in itertools.islice(lost.items(), SHOWN):
            self._tell(f"missing: {path}{_hint(path, group)}")
        total = len({path for group in self.groups for path in group.paths})
        where = ", ".join(dict.fromkeys(group.place for group in self.groups if self._presence.missing(group)))
        if len(lost) > SHOWN:
            where += f"; all of them are in {self._written(lost)}"
        return DataError(
            what=f"{len(lost):,} of {total:,} files {'is' if len(lost) == 1 else 'are'} missing",
            where=where,
            allowed="every file that the annotations name",
            next="correct the paths in the experiment, or bring the files there (`data put`)",
        )

    def _written(self, lost: dict[str, Group]) -> str:
        try:
            self._file.write_text("".join(f"{path}\n" for path in lost))
        except OSError as error:
            return f"no file: {error}"
        return str(self._file)

    def _tell(self, text: str) -> None:
        self._console.print(Text(text))


def _hint(path: str, group: Group) -> str:
    with contextlib.suppress(OSError):
        if found := near(path, group.backend_args):
            return f" (there is {found})"
    return ""
