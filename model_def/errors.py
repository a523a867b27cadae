"""The domain's exceptions. A user's mistake says what, the value, where, what is allowed and what to run next."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeGuard


class _Absent:
    """Marks a problem that has no value to show (`None` is a value that a user can write)."""


ABSENT: Any = _Absent()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that a user can mend.

    Attributes:
        what: the mistake, in one sentence without a full stop.
        value: the value that was found, if there is one.
        where: where it was written: `file.yaml:12:3 (hyperparameters.config_file)`, or a path.
        allowed: what would be accepted.
        next: a command to run or a line to write instead.
    """

    what: str
    value: Any = ABSENT
    where: str = ""
    allowed: str = ""
    next: str = ""

    def __str__(self) -> str:
        """One line for the mistake, then one indented line for each thing that is known about it."""
        lines = [self.what if self.value is ABSENT else f"{self.what}: {self.value!r}"]
        for label, text in (("where", self.where), ("allowed", self.allowed), ("next", self.next)):
            if text:
                lines.append(f"  {label + ':':<9}{text}")
        return "\n".join(lines)


class MMDetTrialError(Exception):
    """Anything that this package raises on purpose.

    Attributes:
        exit_code: what the command line ends with.
        speaker: of several processes, whether this one tells the user; None if they haven't agreed on one.
    """

    exit_code = 1
    speaker: bool | None = None


class UserError(MMDetTrialError):
    """One or more mistakes that the user can mend, all reported at once.

    Raise it with the fields of one problem, `UserError(what=…, value=…)`, or with many, `UserError.of(problems)`.
    """

    exit_code = 2

    def __init__(self, *, problems: Iterable[Problem] = (), **one: Any) -> None:
        self.problems = tuple(problems) or (Problem(**one),)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> UserError:
        """The error that reports all of `problems` (at least one)."""
        return cls(problems=problems)


class Mistakes:
    """Collects what is wrong in one step after another, so that all of it is told at once."""

    def __init__(self) -> None:
        self._errors: list[UserError] = []

    def add(self, problems: Iterable[Problem]) -> None:
        """Note what is wrong with the config."""
        if found := tuple(problems):
            self._errors.append(ConfigError.of(found))

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """A step that others don't need: they are looked at all the same."""
        try:
            yield
        except UserError as error:
            self._errors.append(error)

    @contextlib.contextmanager
    def needed(self) -> Iterator[None]:
        """A step without which nothing more can be said: all is told where it fails.

        Raises:
            UserError: the step failed.
        """
        try:
            yield
        except UserError as error:
            self._errors.append(error)
            self.tell()

    def tell(self) -> None:
        """Report everything that was found, once.

        Raises:
            UserError: of the first one's class, if anything was found.
        """
        if self._errors:
            every = {str(problem): problem for error in self._errors for problem in error.problems}
            raise type(self._errors[0]).of(every.values())


class ExperimentError(UserError):
    """The experiment YAML, or a `key=value` on the command line, can't be used."""


class ConfigError(UserError):
    """The MMDetection config can't be assembled, or a part of it can't be run here."""


class DataError(UserError):
    """Images or annotations are missing, broken or of no use."""


class WeightsError(UserError):
    """Weights or a checkpoint are missing, broken, or belong to another model."""


class OutputError(UserError):
    """The output directory can't be written."""


class TrainingError(MMDetTrialError):
    """Training itself went wrong (a loss that is not finite, for example): not a mistake in the input's form."""


class Stopped(MMDetTrialError):
    """A signal asked for a stop and the state was saved. `exit_code` is 128 + the signal's number."""

    def __init__(self, message: str, *, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def is_disk_full(error: BaseException) -> TypeGuard[OSError]:
    """Whether the system refused to write for want of room: on the disk, in a quota, or in a limit on a file's size."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def no_room(what: str, error: BaseException, *, value: Path, output: Path) -> OutputError:
    """The message for a full disk, with how to go on from what the run in `output` has saved."""
    resume = f"go on from the last whole checkpoint: --resume {output}"
    saved = (output / "checkpoints" / "latest").exists()
    return OutputError(
        what=what,
        value=str(value),
        where=str(error),
        allowed="a disk with room for the checkpoints, or --output DIR on another one",
        next=f"free some room, then {resume if saved else 'start again with a new --output'}",
    )
