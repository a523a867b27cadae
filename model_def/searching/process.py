"""The processes of one trial: what `train` does, with a line to the search that says whether to go on.

They are forked from a server that has imported everything. So a trial begins at once, and none finds what another one
has left: its numbers are those of `train` with the same values.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from filelock import FileLock

from model_def.errors import MMDetTrialError, Stopped, UserError, WeightsError
from model_def.lasting import lasts

_PATIENCE = 600  # seconds that a trial waits for one in its place that is still saving


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """A trial to train.

    Attributes:
        file, assignments: as `train` takes them.
        directory: the current directory.
        output: the trial's output directory; if it has a checkpoint, the trial goes on from its latest one.
        processes: how many train it.
    """

    file: Path
    assignments: tuple[str, ...]
    directory: Path
    output: Path
    processes: int = 1


class TrialProcesses:
    """The running processes of a trial. The first one tells what happens; it waits for an answer to each validation."""

    def __init__(self, task: Task) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["ray", "model_def.train", "model_def.searching.process"])
        os.environ["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, sys.path))  # the server looks there
        with _lock(task.output):
            resume = _checkpoint(task.output)
        self._link, far = context.Pipe()
        self._waits = False
        port = _free_port() if task.processes > 1 else 0
        self._processes: list[BaseProcess] = [
            context.Process(target=_main, args=(task, resume, far if rank == 0 else None, rank, port))
            for rank in range(task.processes)
        ]
        for process in self._processes:
            process.start()
        far.close()

    def news(self, seconds: float) -> dict[str, Any]:
        """What the trial tells next, and let it go on where it waits; empty if there is nothing new after `seconds`.

        Raises:
            EOFError: the trial is gone without a word.
        """
        if self._waits:
            self._link.send(True)
            self._waits = False
        try:
            if not self._link.poll(seconds):
                return {}
            news: dict[str, Any] = self._link.recv()
        except EOFError:
            for process in self._processes:  # the others of several would wait for the one that is gone
                process.kill()
            raise
        self._waits = news["event"] == "validation"
        return news

    def stop(self) -> None:
        """Stop the trial, if it still runs, and wait until it has saved."""
        with contextlib.suppress(OSError):  # it may be gone
            if self._waits:
                self._link.send(False)
            else:
                for process in self._processes:
                    process.terminate()
        for process in self._processes:
            process.join(_PATIENCE)
            process.kill()
        self._link.close()


def _main(task: Task, resume: Path | None, link: Connection | None, rank: int, port: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # Ctrl-C is the search's, which then stops its trials
    multiprocessing.set_start_method(None, force=True)  # this process's own children are started as `train` does
    os.chdir(task.directory)
    task.output.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(task.output.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if task.processes > 1:
        os.environ.update(_as_torchrun(rank, task.processes, port))
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    with _lock(task.output) if rank == 0 else contextlib.nullcontext():
        end = _ending(task, resume, link)
    if link is not None and end:
        with contextlib.suppress(OSError):
            link.send(end)


def _ending(task: Task, resume: Path | None, link: Connection | None) -> dict[str, Any]:
    """Train, and say how it ended; nothing after a stop, or after a failure that another try may not meet."""
    try:
        _train(task, resume, link)
    except Stopped:
        return {}
    except Exception as error:  # noqa: BLE001  # the search goes on, with this trial again or without it
        known = isinstance(error, MMDetTrialError)
        print(error if known else traceback.format_exc(), flush=True)
        if not lasts(error):
            return {}
        message = str(error) if known else f"{type(error).__name__}: {error} (more in {task.output}.log)"
        return {"event": "end", "status": "failed", "message": message, "mistake": isinstance(error, UserError)}
    return {"event": "end", "status": "done", "message": "", "mistake": False}


def _train(task: Task, resume: Path | None, link: Connection | None) -> None:
    from model_def.claim import claimed
    from model_def.experiment import load_experiment
    from model_def.report.console import make_console, rank
    from model_def.report.progress import ProgressHook
    from model_def.report.quiet import quiet
    from model_def.train import train

    def asks(steps_completed: int, metrics: Mapping[str, Any]) -> bool:
        values = {name: float(value) for name, value in metrics.items()}
        return link is not None and _asked(link, {"event": "validation", "batches": steps_completed, "metrics": values})

    console = make_console()
    experiment = load_experiment(task.file, task.assignments)
    with (
        quiet(console),
        claimed(task.output, resume=resume is not None) if rank() == 0 else contextlib.nullcontext(),
    ):
        train(
            experiment,
            output=task.output,
            resume=resume,
            hooks=lambda composed, output: [
                ProgressHook(experiment=experiment, output=output, notes=composed.notes, console=console)
            ],
            enough=asks,
        )


def _asked(link: Connection, question: dict[str, Any]) -> bool:
    """Whether the search says stop; so does its silence when it is gone."""
    try:
        link.send(question)
        return not link.recv()
    except (EOFError, OSError):
        return True


def _checkpoint(output: Path) -> Path | None:
    """What to go on from. What a trial has left that was killed before it saved anything is removed."""
    from model_def.output import find_resume

    if not output.exists():
        return None
    try:
        return find_resume(output, name=output.name).checkpoint
    except WeightsError:
        shutil.rmtree(output)
        return None


def _lock(output: Path) -> FileLock:
    """Held by a trial while it may write: after a search was killed its trials save, and end a little later."""
    output.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(output.with_name(f".{output.name}.lock"), timeout=_PATIENCE)


def _stop_with_parent() -> None:
    """End as after a SIGTERM when the search is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _as_torchrun(rank: int, processes: int, port: int) -> dict[str, str]:
    """The variables that torchrun sets on one machine."""
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    return {name: str(number) for name, number in numbers.items()} | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
