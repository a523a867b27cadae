"""Trainings in processes of their own, forked from one that has imported everything: a start costs no seconds.

`run` trains as `python -m model_def train` does. Where it is to be stopped, a hook sends the process a signal at that
very place.
"""

from __future__ import annotations

import dataclasses
import functools
import multiprocessing
import os
import pathlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from types import MappingProxyType
from typing import Any

import pytest
import torch
from mmengine.config import config
from mmengine.hooks import Hook

from tests.support.commands import REPO, metrics

_CONTEXT = multiprocessing.get_context("forkserver")


@functools.cache
def _context() -> Any:
    """The server is started once. It looks for what it imports where the environment says, wherever we are by then."""
    _CONTEXT.set_forkserver_preload(["tests.support.preload"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPO))
        forkserver.ensure_running()
    return _CONTEXT


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stop:
    """Where a run gets a signal: after the training of a batch, in the first validation or in a checkpoint behind it.

    Attributes:
        writing: how many seconds after the first byte of the checkpoint.
    """

    batch: int
    validating: bool = False
    writing: float | None = None
    number: signal.Signals = signal.SIGTERM


class _Stopper(Hook):
    priority = "VERY_LOW"

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._stopped = False

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if self._stop.validating or runner.iter + 1 < self._stop.batch or self._stopped:
            return
        self._send(runner)

    def _send(self, runner: Any) -> None:
        self._stopped = True  # a second signal would end the process at once
        if self._stop.writing is None:
            os.kill(os.getpid(), self._stop.number)
        else:
            threading.Thread(
                target=self._while_writing, args=[pathlib.Path(runner.work_dir).parent], daemon=True
            ).start()

    def _while_writing(self, output: pathlib.Path) -> None:
        while not any((output / "checkpoints").glob(".[0-9]*")):
            time.sleep(0.0005)
        time.sleep(self._stop.writing)
        os.kill(os.getpid(), self._stop.number)

    def before_train(self, runner: Any) -> None:
        """A hook of somebody's own that acts in a validation would make a stop wait for its end."""
        if self._stop.validating:
            validate = runner.val_loop.run_iter
            runner.val_loop.run_iter = lambda *args: (self._stop_validating(runner), validate(*args))

    def _stop_validating(self, runner: Any) -> None:
        if runner.iter >= self._stop.batch and not self._stopped:
            self._send(runner)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """What a run left.

    Attributes:
        code: the exit code that the command line would end with.
        errors: what was written on standard error.
    """

    code: int
    errors: str


def run(
    experiment: pathlib.Path,
    output: pathlib.Path,
    *overrides: str,
    cwd: pathlib.Path,
    resume: bool = False,
    stop: Stop | None = None,
    processes: int = 1,
    environment: Mapping[str, str] = MappingProxyType({}),
    code: int | None = None,
) -> Result:
    """Train to the end, or to `stop`; `code` is what it must end with (by default 0, or that of the stop)."""
    output.parent.mkdir(parents=True, exist_ok=True)
    log = output.with_name(f"{output.name}.log")
    how: dict[str, Any] = {"resume": resume, "stop": stop, "processes": processes, "environment": environment}
    started = start(experiment, output, *overrides, cwd=cwd, log=log, **how)
    for each in started:
        each.join(300)
        if each.is_alive():
            each.kill()
    result = Result(code=started[0].exitcode if started[0].exitcode is not None else -1, errors=log.read_text())
    expected = code if code is not None else 128 + stop.number if stop else 0
    assert result.code == expected, f"ended with {result.code}\n{result.errors}"
    return result


def start(
    experiment: pathlib.Path,
    output: pathlib.Path,
    *overrides: str,
    cwd: pathlib.Path,
    log: pathlib.Path,
    resume: bool = False,
    stop: Stop | None = None,
    processes: int = 1,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> list[Any]:
    """The running processes."""
    target = ["--resume", str(output)] if resume else ["--output", str(output)]
    port = _free_port() if processes > 1 else 0
    log.write_bytes(b"")  # the processes append to it
    started = []
    for rank in range(processes):
        variables = {**environment, **(_ranks(rank, processes, port) if processes > 1 else {})}
        arguments = (str(cwd), str(log), variables, ["train", str(experiment), *overrides, *target], stop)
        started.append(_context().Process(target=_main, args=arguments))
        started[-1].start()
    return started


def _main(cwd: str, log: str, environment: dict[str, str], argv: Sequence[str], stop: Stop | None) -> None:
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    os.chdir(cwd)
    os.environ.update(environment)
    torch.set_num_threads(1)
    from model_def import cli, train

    if stop is not None:
        original = train.train

        def stopped(*args: Any, hooks: Any, **kwargs: Any) -> Any:
            return original(*args, hooks=lambda *given: [*hooks(*given), _Stopper(stop)], **kwargs)

        train.train = stopped
    cli._picture = lambda output: None  # a picture is another test's matter
    config.FormatCode = lambda text, **_: (text, True)  # formatting config.py takes longer than the training
    sys.exit(cli.main(argv))


def _ranks(rank: int, processes: int, port: int) -> dict[str, str]:
    """What torchrun sets."""
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    return {**{key: str(value) for key, value in numbers.items()}, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


def same_run(stopped: pathlib.Path, whole: pathlib.Path) -> None:
    """Every metric line and every tensor and number of the last checkpoint are equal."""
    for our, their in zip(metrics(stopped / "metrics.jsonl"), metrics(whole / "metrics.jsonl"), strict=True):
        assert our == their
    states = [torch.load(each / "checkpoints/latest/state_dict.pth", weights_only=True) for each in (stopped, whole)]
    difference = _difference(*states, "")
    assert difference is None, difference


# Names of runs and clocks: what two equal runs may differ in.
_OWN = ("experiment_name", "cfg", "_time", "train/time", "train/data_time", "val/time", "val/data_time", "memory")


def _difference(a: Any, b: Any, where: str) -> str | None:
    if isinstance(a, torch.Tensor):
        equal = isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
        return None if equal else f"{where} differs"
    if isinstance(a, dict):
        if not isinstance(b, dict) or a.keys() != b.keys():
            return f"{where} has other keys"
        parts = [(a[key], b[key], f"{where}.{key}") for key in a if key not in _OWN]
    elif isinstance(a, (list, tuple)):
        if type(a) is not type(b) or len(a) != len(b):
            return f"{where} has another length"
        parts = [(*pair, f"{where}.{number}") for number, pair in enumerate(zip(a, b, strict=True))]
    else:
        return None if a == b or (a != a and b != b) else f"{where}: {a!r} and {b!r}"[:300]
    return next((found for part in parts if (found := _difference(*part))), None)
