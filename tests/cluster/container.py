"""The stand-in's agent: runs a trial's containers as processes of this machine."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Container, Iterable
from typing import IO, TYPE_CHECKING, Any

from determined.common import constants

from tests.cluster.records import Allocation, Experiment, Trial

if TYPE_CHECKING:
    from tests.cluster.master import Master

ENTRYPOINT = pathlib.Path(__file__).with_name("entrypoint.sh")
RANK = re.compile(r"\[rank=(\d+)\] ?")
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
if os.getuid() != 0:
    NAMESPACES.append("--map-root-user")


def namespaces_work() -> bool:
    """Whether this machine lets us make containers of namespaces."""
    trial = [*NAMESPACES, "sh", "-c", f"mount -t tmpfs tmpfs /run && mkdir -p {constants.SHARED_FS_CONTAINER_PATH}"]
    try:
        return subprocess.run(trial, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


class Agent:
    """Nodes with some slots each, all of them this machine.

    Args:
        folder: for the containers' files.
        environment: variables of all containers, beside the platform's; nothing else is inherited but PATH and LANG.
        hook: whether a context's startup-hook.sh runs. It installs packages, into the environment that runs this.

    Attributes:
        images: those that can be pulled. What runs is this machine's Python in any case.
    """

    images: Container[str] | None = None  # all of them

    def __init__(
        self, folder: pathlib.Path, *, nodes: int = 1, slots: int = 2, environment: dict[str, str], hook: bool = False
    ) -> None:
        self._folder, self._nodes, self._slots = folder, [f"node-{number}" for number in range(nodes)], slots
        self._environment, self._hook = environment, hook
        self.url = ""

    @property
    def slots(self) -> int:
        """Of all nodes."""
        return len(self._nodes) * self._slots

    def share(
        self, wanted: int, *, others: Iterable[Allocation], excluded: Container[str] = ()
    ) -> dict[str, int] | None:
        """The slots on each node for a trial that wants some, or None if they are not there.

        Args:
            others: what runs already.
            excluded: nodes that are out of the question.
        """
        used: Counter[str] = Counter()
        for other in others:
            used.update(dict(zip(other.nodes, other.slots, strict=True)))
        free = {node: self._slots - used[node] for node in self._nodes if node not in excluded}
        for node, some in free.items():
            if wanted <= some:
                return {node: wanted}
        whole = [node for node, some in free.items() if some == self._slots]
        count, rest = divmod(wanted, self._slots)
        return None if rest or count > len(whole) else dict.fromkeys(whole[:count], self._slots)

    def start(self, master: Master, experiment: Experiment, trial: Trial, allocation: Allocation) -> None:
        """Start all containers of a run; `master.exited` is told when the last one has ended."""
        image = _for_cpu(experiment.config["environment"]["image"], "")
        if self.images is not None and image not in self.images:
            threading.Thread(target=_not_pulled, args=(master, trial, allocation, image), daemon=True).start()
            return
        ports = _free_ports(3)
        for rank in range(len(allocation.slots)):
            folder = self._files(allocation.resources[rank], experiment.config)
            environment = self._variables(master, experiment, trial, rank) | {
                "C10D_PORT": ports[0], "INTER_TRAIN_PROCESS_COMM_PORT_1": ports[1],
                "INTER_TRAIN_PROCESS_COMM_PORT_2": ports[2], "STANDIN_DIR": str(folder),
            }  # fmt: skip
            allocation.processes.append(_container(environment))
        threading.Thread(target=self._attend, args=(master, trial, allocation), daemon=True).start()

    def delete(self, master: Master, experiment: Experiment, uuids: list[str]) -> None:
        """Delete checkpoints as the platform does: in a container of their experiment, which tells the master.

        Raises:
            RuntimeError: it failed.
        """
        name = f"{experiment.id}.gc-{uuids[0]}"
        folder = self._files(name, experiment.config)
        for what, content in (("storage", experiment.config["checkpoint_storage"]), ("delete", uuids)):
            (folder / f"{what}.json").write_text(json.dumps(content))
        (folder / "globs.json").write_text('["**/*"]')
        environment = self._common(master, experiment, self._nodes[0]) | {
            "DET_CONTAINER_ID": name,
            "DET_SLOT_IDS": "[]",
            "DET_TASK_ID": name,
            "DET_ALLOCATION_ID": f"{name}.1",
            "DET_SESSION_TOKEN": master.login("determined"),
            "DET_TASK_TYPE": "CHECKPOINT_GC",
            "STANDIN_DIR": str(folder),
            "STANDIN_DELETES": str(experiment.id),
        }
        container = _container(environment)
        told = "".join(container.communicate())
        if container.returncode:
            raise RuntimeError(told)

    def kill(self, allocation: Allocation) -> None:
        """End all processes of a run at once."""
        for process in allocation.processes:
            process.kill()

    def _attend(self, master: Master, trial: Trial, allocation: Allocation) -> None:
        readers = [
            threading.Thread(target=_collect, args=(master, trial, stream, name, node), daemon=True)
            for process, node in zip(allocation.processes, allocation.nodes, strict=True)
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
        ]
        for reader in readers:
            reader.start()
        codes = [process.wait() for process in allocation.processes]
        for reader in readers:
            reader.join(timeout=5)
        master.exited(trial, allocation, codes)

    def _files(self, name: str, config: dict[str, Any]) -> pathlib.Path:
        folder = self._folder / name
        for part in ("info", "workdir", "train/logs", "train/model", "tmp", "home"):
            (folder / part).mkdir(parents=True)
        mounts = [(mount["host_path"], mount["container_path"]) for mount in config["bind_mounts"]]
        storage = config["checkpoint_storage"]
        if storage["type"] == "shared_fs":
            pathlib.Path(storage["host_path"]).mkdir(parents=True, exist_ok=True)
            mounts.append((storage["host_path"], constants.SHARED_FS_CONTAINER_PATH))
        lines = [f"bind {shlex.quote(source)} {shlex.quote(target)}\n" for source, target in mounts]
        (folder / "mounts.sh").write_text("".join(lines))
        return folder

    def _variables(self, master: Master, experiment: Experiment, trial: Trial, rank: int) -> dict[str, str]:
        """What the platform sets: determined's `ClusterInfo` and `TrialInfo` are made from it."""
        allocation = trial.allocation
        if allocation is None:
            raise ValueError("a run without an allocation")
        found = master.latest_checkpoint(trial)
        latest = found.uuid if found else trial.warm_start
        return self._common(master, experiment, allocation.nodes[rank]) | {
            "STANDIN_HOOK": "yes" if self._hook else "",
            "DET_CONTAINER_ID": allocation.resources[rank],
            "DET_RESOURCES_ID": allocation.resources[rank],
            "DET_RESOURCES_TYPE": "docker-container",
            "DET_SLOT_IDS": json.dumps(list(range(allocation.slots[rank]))),
            "DET_TASK_ID": trial.task_id,
            "DET_ALLOCATION_ID": allocation.id,
            "DET_SESSION_TOKEN": allocation.token,
            "DET_TASK_TYPE": "TRIAL",
            "DET_WORKDIR": "/run/determined/workdir",
            "DET_RUN_DIR": "/run/determined",
            "DET_EXPERIMENT_ID": str(experiment.id),
            "DET_TRIAL_ID": str(trial.id),
            "DET_TRIAL_RUN_ID": str(trial.run_id),
            "DET_TRIAL_SEED": str(trial.seed),
            "DET_EXPERIMENT_CONFIG": json.dumps(experiment.config),
            "DET_HPARAMS": json.dumps(trial.hparams),
            "DET_STEPS_COMPLETED": str(found.steps_completed if found else 0),
            **({"DET_LATEST_CHECKPOINT": latest} if latest else {}),
        }

    def _common(self, master: Master, experiment: Experiment, node: str) -> dict[str, str]:
        """What all containers of an experiment get."""
        asked = _for_cpu(experiment.config["environment"]["environment_variables"], [])
        return {
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "HOME": "/run/determined/home",
            "STANDIN_KEEP": ":".join(path for path in (sys.prefix, sys.base_prefix) if path.startswith("/tmp/")),
            "DET_MASTER": self.url,
            "DET_CLUSTER_ID": master.id,
            "DET_AGENT_ID": node,
            "DET_USER": "determined",
            **self._environment,
            **dict(variable.split("=", 1) for variable in asked),
        }


def _for_cpu(asked: Any, nothing: Any) -> Any:
    return asked.get("cpu", nothing) if isinstance(asked, dict) else asked


def _not_pulled(master: Master, trial: Trial, allocation: Allocation, image: str) -> None:
    """As an agent fails to. These lines are not the trial's own: log policies don't look at them."""
    master.log(trial, f"image not found, pulling image: {image}\n")
    why = f"pulling container image: error pulling image: {image}: manifest unknown"
    master.log(trial, f"crashed: task failed without an associated exit code: {why}\n")
    master.exited(trial, allocation, [1])


def _container(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*NAMESPACES, "bash", str(ENTRYPOINT)], env=environment, cwd="/", stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip


def _collect(master: Master, trial: Trial, stream: IO[str], name: str, node: str) -> None:
    for line in stream:
        found = RANK.match(line)
        text = line[found.end() :] if found else line
        master.log(trial, text, stream=name, rank=int(found[1]) if found else None, node=node)


def _free_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
