"""Object stores for tests: real servers, each a process of its own on a free port."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError, URLError

PATIENCE = 20.0  # seconds for a server to answer; on an idle machine they need less than one


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """One that answers at `url`; with `environment` the libraries find it, and credentials of no use elsewhere."""

    url: str
    environment: dict[str, str]


def s3_environment(url: str) -> dict[str, str]:
    """What leads boto3 and obstore to `url`, whatever the user's own settings are."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextlib.contextmanager
def s3_server() -> Iterator[Server]:
    """moto's server: S3 in memory."""
    port = free_port()
    with _running("-m", "moto.server", "-H", "127.0.0.1", "-p", str(port), url=f"http://127.0.0.1:{port}") as url:
        yield Server(url=url, environment=s3_environment(url))


@contextlib.contextmanager
def gcs_server() -> Iterator[Server]:
    """gcp-storage-emulator: GCS in memory."""
    port = free_port()
    command = ("-m", "gcp_storage_emulator", "start", "-H", "127.0.0.1", "--port", str(port), "-M", "-q")
    with _running(*command, url=f"http://127.0.0.1:{port}") as url:
        yield Server(url=url, environment={"STORAGE_EMULATOR_HOST": url})


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaultServer:
    """A running `faulty`."""

    url: str

    def plan(self, **plan: Any) -> None:
        """From now on answer by this plan (the fields of `plan.Plan`); what was asked for counts anew."""
        request = urllib.request.Request(f"{self.url}/_plan", json.dumps(plan).encode(), method="PUT")
        urllib.request.urlopen(request, timeout=PATIENCE).close()

    def log(self) -> dict[str, dict[str, int]]:
        """`asked`: how often each `bucket/key` was; `faults`: answers by kind; `agents`: requests by library; `cpu`."""
        with urllib.request.urlopen(f"{self.url}/_log", timeout=PATIENCE) as answer:
            found: dict[str, dict[str, int]] = json.load(answer)
            return found


@contextlib.contextmanager
def fault_server(root: pathlib.Path, **plan: Any) -> Iterator[FaultServer]:
    """A server of the files `root/bucket/key` that makes mistakes by the plan (the fields of `plan.Plan`)."""
    port = free_port()
    command = ("-m", "tests.support.servers.faulty", "--port", str(port), "--root", str(root.resolve()))
    with _running(*command, "--plan", json.dumps(plan), url=f"http://127.0.0.1:{port}") as url:
        yield FaultServer(url=url)


def free_port() -> int:
    """A port of this host that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _running(*command: str, url: str) -> Iterator[str]:
    root = pathlib.Path(__file__).parents[3]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, *command], cwd=root, **quiet)
    try:
        _await(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=PATIENCE).close()
            return
        except HTTPError:
            return  # it answers
        except (URLError, OSError):
            time.sleep(0.02)
    raise RuntimeError(f"{process.args} does not answer at {url}")
