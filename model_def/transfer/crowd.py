"""Many small jobs in threads: an error is noted, many errors end it, and Ctrl-C ends it at once."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from model_def.errors import DataError, UserError, is_disk_full
from model_def.storage.client import Damaged, Interrupted, ObjectMissing, StorageError

Job = TypeVar("Job")

TOO_MANY = 20  # failed jobs after which nobody hopes any more
TICK = 0.2  # seconds between two looks at the progress
PATIENCE = 5.0  # seconds for jobs to end by themselves after Ctrl-C


# What a store says of one object; anything else it would say of all of them.
OF_ONE = (ObjectMissing, Damaged, Interrupted)


class Halted(Exception):
    """The others have been told to stop: this job gives up."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure(Generic[Job]):
    """A job that failed, and why."""

    job: Job
    error: OSError


class Crowd:
    """Threads that work on jobs until all are done, or until something ends them.

    The threads are daemons: what hangs in a network call doesn't keep the process from ending. Jobs must therefore
    leave nothing half-written when they vanish.
    """

    def __init__(self, *, threads: int) -> None:
        self._threads = threads
        self._stop = threading.Event()

    def pause(self, seconds: float) -> None:
        """Sleep, unless the crowd is told to stop.

        Raises:
            Halted: it is.
        """
        if self._stop.wait(seconds):
            raise Halted

    def each(
        self, jobs: Iterable[Job], do: Callable[[Job], None], *, tick: Callable[[], None] = lambda: None
    ) -> list[Failure[Job]]:
        """Do all `jobs`, in about their order; returns those that failed with an OSError, at most `TOO_MANY` or so.

        Args:
            tick: called some times a second in the calling thread, to show progress.

        Raises:
            UserError: a job met a mistake that concerns all of them: the bucket isn't there, for example.
            KeyboardInterrupt: as it came. The jobs that were being worked on are finished, or given up.
            (and any other error of a job, which is a defect; a full disk is an OSError that ends it, too)
        """
        work = _Work(jobs, do, self._stop, threads=self._threads)
        for _ in range(self._threads):
            threading.Thread(target=work.run, daemon=True).start()
        try:
            # Not `join`: after Ctrl-C in it, Python 3.11 takes a running thread for one that has ended.
            while not work.ended.wait(TICK):
                tick()
        except KeyboardInterrupt:
            self._stop.set()
            work.ended.wait(PATIENCE)
            raise
        if work.fatal is not None:
            raise work.fatal
        return work.failures


class _Work(Generic[Job]):
    """What the threads share."""

    def __init__(self, jobs: Iterable[Job], do: Callable[[Job], None], stop: threading.Event, *, threads: int) -> None:
        self._jobs, self._do, self._stop = iter(jobs), do, stop
        self._lock = threading.Lock()
        self._working = threads
        self.ended = threading.Event()
        self.failures: list[Failure[Job]] = []
        self.fatal: Exception | None = None

    def run(self) -> None:
        """Do jobs while there are any."""
        try:
            while not self._stop.is_set():
                with self._lock:
                    job = next(self._jobs, None)
                if job is None:
                    return
                self._attempt(job)
        except Halted:
            return
        except Exception as error:  # noqa: BLE001  # raised again by `each`, in the thread that can tell it
            with self._lock:
                self.fatal = self.fatal or error
            self._stop.set()
        finally:
            with self._lock:
                self._working -= 1
                if not self._working:
                    self.ended.set()

    def _attempt(self, job: Job) -> None:
        try:
            self._do(job)
        except OSError as error:
            if is_disk_full(error):
                raise
            if isinstance(error, StorageError) and not isinstance(error, OF_ONE):
                raise refused(error) from error
            with self._lock:
                self.failures.append(Failure(job=job, error=error))
            if len(self.failures) >= TOO_MANY:
                self._stop.set()


def told(failures: list[Failure[Job]], name: Callable[[Job], str], *, what: str, of: int, next_step: str) -> UserError:
    """The message about jobs that failed: how many, the first few with their reasons, and what to do."""
    first = failures[:5]
    more = f" and {len(failures) - len(first)} more" if len(failures) > len(first) else ""
    end = ", so many that the rest was not tried" if len(failures) >= TOO_MANY else ""
    return UserError(
        what=f"{len(failures)} of {of:,} {what}{end}",
        value=", ".join(name(failure.job) for failure in first) + more,
        where="; ".join(dict.fromkeys(str(failure.error) for failure in first)),
        next=next_step,
    )


def refused(error: StorageError) -> DataError:
    """The message about a store that can't be used."""
    return DataError(what=str(error), where=error.url, next=error.next)
