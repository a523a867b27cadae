"""Processes that take turns, so that all meet the same machine: it may be slower a minute later."""

from __future__ import annotations

import os
import pathlib
import socket
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence


class Side:
    """A process that calls `wait_for_turn` after each block of its work.

    Its variable BENCHMARK_STARTED is when it was started, by `time.time()`.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: pathlib.Path) -> None:
        self._log = log
        self._socket, theirs = socket.socketpair()
        with theirs, log.open("w") as file:
            own = {"BENCHMARK_TURN": str(theirs.fileno()), "BENCHMARK_STARTED": str(time.time())}
            self._process = subprocess.Popen(
                command, env={**environment, **own}, pass_fds=[theirs.fileno()], stdout=file, stderr=file
            )
        self.working = True
        self._wait()

    def go_on(self) -> None:
        """Let it work on its next block; it may be its last."""
        if self.working:
            self._socket.sendall(b".")
            self._wait()

    def end(self) -> None:
        """When it has ended.

        Raises:
            SystemExit: it has failed.
        """
        with self._socket:
            if self._process.wait():
                raise SystemExit(self._log.read_text())

    def _wait(self) -> None:
        try:
            self.working = self._socket.recv(1) != b""
        except ConnectionResetError:  # it has ended and not read our last byte
            self.working = False


def in_turns(*commands: Sequence[str], environment: Mapping[str, str], folder: pathlib.Path) -> None:
    """Run the commands, each alone until its first block is done, then a block of each; who begins changes.

    Args:
        environment: variables of all.
        folder: for what they print.

    Raises:
        SystemExit: one of them has failed; with what it has printed.
    """
    sides = [Side(command, environment, folder / f"{number}.log") for number, command in enumerate(commands)]
    while any(side.working for side in sides):
        sides.reverse()
        for side in sides:
            side.go_on()
    for side in sides:
        side.end()


def wait_for_turn() -> float:
    """In a side's process: say that a block is done, and wait until it may go on; gives the seconds that it took."""
    turn, start = int(os.environ["BENCHMARK_TURN"]), time.time()
    os.write(turn, b".")
    os.read(turn, 1)
    return time.time() - start


def quartiles(ratios: list[float]) -> list[float]:
    """Of the pairs that turns make: the first, the median, the third; of one ratio, that one."""
    return statistics.quantiles(ratios if len(ratios) > 1 else 2 * ratios, n=4)
