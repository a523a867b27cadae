"""Runs the stand-in until Ctrl-C: `python -m tests.cluster [--port 8080] [--slots 2] [--folder output/cluster]`."""

from __future__ import annotations

import argparse
import pathlib
import sys
import threading

from tests.cluster.container import namespaces_work
from tests.cluster.running import running


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description="a stand-in for a Determined cluster")
    parser.add_argument("--port", type=int, default=8080, help="of the master (default: 8080)")
    parser.add_argument("--slots", type=int, default=2, help="of the agent (default: 2)")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("output/cluster"), help="for its files")
    options = parser.parse_args()
    if not namespaces_work():
        print("Containers are made with unshare(1), and this machine does not let us: try as root.", file=sys.stderr)
        return 2
    with running(options.folder.resolve(), {}, slots=options.slots, port=options.port) as master:
        print(
            f"A cluster of {options.slots} slots until Ctrl-C.\n\n    export DET_MASTER={master.agent.url}\n",
            flush=True,
        )
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopping")
    return 0


if __name__ == "__main__":
    sys.exit(main())
