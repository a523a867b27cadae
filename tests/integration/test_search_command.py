"""Searches on Ray Tune, through the command that a user types. Ray is an extra: without it there is nothing to run."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from model_def.searching.command import ENGINE
from tests.support.commands import ENVIRONMENT, metrics, model_def, torchrun
from tests.support.servers import free_port

SECONDS = 600  # that anything may take on a busy machine
LR = "optim_wrapper.optimizer.lr={type: log, base: 10, minval: -4, maxval: -1}"
ONE = ("searcher.name=random", "searcher.max_trials=1")
RANDOM = (LR, "searcher.name=random", "searcher.max_trials=3")
ASHA = (LR, "searcher.name=adaptive_asha", "searcher.max_trials=6", "searcher.divisor=3")
ASHA += ("searcher.mode=aggressive", "searcher.time_metric=epochs", "searcher.max_time=3", "train_cfg.val_interval=1")


@pytest.fixture(scope="module", autouse=True)
def engine() -> None:
    pytest.importorskip("ray", reason=f'pip install "{ENGINE}"')


@pytest.fixture(scope="module")
def searched(retinanet, shapes_context, tmp_path_factory) -> tuple[pathlib.Path, str, pathlib.Path]:
    """The directory of a random search, what it printed, and the home that it had."""
    folder, home = tmp_path_factory.mktemp("random"), tmp_path_factory.mktemp("home")
    output = folder / "output"
    done = model_def("search", str(retinanet), *RANDOM, "--output", str(output), cwd=shapes_context, HOME=str(home))
    return output, done.stdout, home


def events(output: pathlib.Path, kind: str = "validation") -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (output / "search.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def last(output: pathlib.Path) -> dict[int, Any]:
    """The last validation of each trial."""
    return {line["trial"]: line["metrics"] for line in events(output)}


def test_what_a_search_leaves(searched):
    output, told, home = searched
    assert {path.name for path in output.iterdir() if path.name[0] != "."} == {"search.jsonl", "search.png", "trials"}
    assert {line["status"] for line in events(output, "end")} == {"done"}
    assert all((output / f"trials/00{n}/checkpoints/best/model.pth").is_file() for n in (1, 2, 3))
    assert "3 done; 54 batches" in told
    assert not any(home.rglob("*ray*")), "nothing of Ray's in the home directory"


def test_the_best_trial_is_what_train_makes_with_its_command(searched, shapes_context, tmp_path):
    output, told, _ = searched
    (command,) = (line for line in told.splitlines() if " -m model_def train " in line)
    model_def(*shlex.split(command)[3:], "--output", str(tmp_path / "run"), cwd=shapes_context)
    best = max(events(output), key=lambda event: event["metrics"]["bbox_mAP"])["trial"]
    assert f"trials/00{best} " in told
    assert metrics(tmp_path / "run/metrics.jsonl") == metrics(output / f"trials/00{best}/metrics.jsonl")


def test_a_search_that_was_killed_goes_on_and_ends_alike(retinanet, searched, shapes_context, tmp_path):
    output = tmp_path / "output"
    with begun(retinanet, output, shapes_context) as process:
        process.kill()
    assert len(events(output, "end")) < 3
    model_def("search", str(retinanet), *RANDOM, "--resume", str(output), cwd=shapes_context)
    assert last(output) == last(searched[0])


def test_a_search_that_is_stopped_says_how_to_go_on(retinanet, shapes_context, tmp_path):
    output = tmp_path / "output"
    with begun(retinanet, output, shapes_context) as process:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert f"--resume {output}" in errors
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(output) in " ".join(one.info["cmdline"] or ())]


@contextlib.contextmanager
def begun(retinanet: pathlib.Path, output: pathlib.Path, cwd: pathlib.Path) -> Iterator[subprocess.Popen[str]]:
    """A search that has measured something."""
    command = [sys.executable, "-m", "model_def", "search", str(retinanet), *RANDOM, "--output", str(output)]
    process = subprocess.Popen(command, cwd=cwd, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + SECONDS
        while not ((output / "search.jsonl").exists() and events(output)):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


def test_bad_trials_are_stopped_early(retinanet, shapes_context, tmp_path):
    output = tmp_path / "output"
    done = model_def("search", str(retinanet), *ASHA, "--output", str(output), cwd=shapes_context)
    lengths = {line["trial"]: line["length"] for line in events(output)}
    assert "compared after 1, 3 epochs" in done.stdout
    assert set(lengths.values()) == {1, 3}
    assert sorted(lengths) == [*range(1, 7)]
    short = next(trial for trial, length in lengths.items() if length == 1)
    state = output / f"trials/00{short}/checkpoints/latest"
    assert state.resolve().name == "6", "stopped after its first epoch, and saved"


def test_a_mistake_in_the_experiment_ends_the_search(retinanet, shapes_context, tmp_path):
    wrong = "train_dataloader.dataset.ann_file=none.json"
    done = model_def(
        "search", str(retinanet), *RANDOM, wrong, "--output", str(tmp_path / "o"), cwd=shapes_context, code=2
    )
    assert "none.json" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "o").exists()


def test_trials_of_two_processes(retinanet, shapes_context, tmp_path):
    """Their numbers are torchrun's; the fixed ports of Determined's processes would collide with another trial's."""
    output, two = tmp_path / "output", "resources.slots_per_trial=2"
    done = model_def("search", str(retinanet), LR, *ONE, two, "--output", str(output), cwd=shapes_context)
    (command,) = (line for line in done.stdout.splitlines() if " train " in line)
    arguments = shlex.split(command.partition("-m model_def ")[2])
    assert "--nproc-per-node" in command
    torchrun(2, *arguments, "--output", str(tmp_path / "run"), cwd=shapes_context)
    assert metrics(tmp_path / "run/metrics.jsonl") == metrics(output / "trials/001/metrics.jsonl")


def test_on_a_cluster_of_ray_that_runs_already(searched, retinanet, shapes_context, tmp_path):
    output, address = tmp_path / "output", f"127.0.0.1:{free_port()}"
    with ray_cluster(address) as environment:
        model_def("search", str(retinanet), *RANDOM, "--output", str(output), cwd=shapes_context, **environment)
        at_work = [one.info["cmdline"] for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"]]
        assert any(address.rpartition(":")[2] in " ".join(command) for command in at_work), "the cluster stays"
    assert len(last(output)) == 3
    assert last(output) == last(searched[0])


def test_a_table_on_a_terminal(retinanet, shapes_context, tmp_path):
    command = [sys.executable, "-m", "model_def", "search", str(retinanet), *RANDOM, "--output", str(tmp_path / "o")]
    text = on_terminal(command, shapes_context)
    assert "\x1b[1A" in text, "it is drawn again in its place"
    screen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    table = screen.partition("\ndone in")[0].rpartition("batches")[2]
    rows = re.findall(r"(\d) +done +18 +(0\.\d{3})(.*) lr=", table)
    assert len(rows) == 3, table
    assert [value for _, value, _ in rows] == sorted((value for _, value, _ in rows), reverse=True)
    assert ["★" in mark for *_, mark in rows] == [True, False, False]
    assert "3 done" in table


@contextlib.contextmanager
def ray_cluster(address: str) -> Iterator[dict[str, str]]:
    """A cluster of Ray on this machine; the variables that lead to it."""
    port, environment = address.rpartition(":")[2], {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ADDRESS": address}
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [str(pathlib.Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={port}",
             "--num-cpus=2", "--include-dashboard=false", f"--temp-dir={folder}"],
            env={**ENVIRONMENT, "RAY_USAGE_STATS_ENABLED": "0"}, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for_port(int(port))
            yield environment
        finally:
            process.terminate()
            process.wait(timeout=SECONDS)


def wait_for_port(port: int) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.5)
    raise TimeoutError(port)


def on_terminal(command: list[str], cwd: pathlib.Path) -> str:
    """What a command writes on a terminal of 100 columns."""
    inner, outer = pty.openpty()
    termios.tcsetwinsize(outer, (40, 100))
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=outer, stdout=outer, stderr=outer)
    os.close(outer)
    parts = []
    with contextlib.suppress(OSError):  # the other end is closed
        while part := os.read(inner, 65536):
            parts.append(part)
    os.close(inner)
    text = b"".join(parts).decode()
    assert process.wait(timeout=SECONDS) == 0, text
    return text
