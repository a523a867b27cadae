"""The stand-in, running."""

from __future__ import annotations

import contextlib
import pathlib
import threading
from collections.abc import Iterator, Mapping

from tests.cluster import accounts, allocations, checkpoints, detached, experiments, trials
from tests.cluster.container import Agent
from tests.cluster.master import Master
from tests.cluster.server import serve

ROUTES = [
    *accounts.ROUTES,
    *experiments.ROUTES,
    *trials.ROUTES,
    *detached.ROUTES,
    *allocations.ROUTES,
    *checkpoints.ROUTES,
]


@contextlib.contextmanager
def running(
    folder: pathlib.Path, environment: Mapping[str, str], *, nodes: int = 1, slots: int = 2, port: int = 0
) -> Iterator[Master]:
    """A cluster until the end of the block, when what still runs is killed.

    Args:
        folder: for containers and, unless an experiment says otherwise, checkpoints.
        environment: variables that all containers get.
        nodes: machines that the agent pretends to have.
        slots: of each of them.
        port: for the master; 0 is any free one.
    """
    agent = Agent(folder / "containers", nodes=nodes, slots=slots, environment=dict(environment))
    master = Master(agent, folder / "checkpoints")
    server = serve(master, ROUTES, port)
    agent.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield master
    finally:
        master.stop()
        server.shutdown()
        server.server_close()
