"""The stand-in as fixtures of tests."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cluster import records
from tests.cluster.container import namespaces_work
from tests.cluster.master import Master
from tests.cluster.records import Experiment
from tests.cluster.running import running
from tests.support import commands

REPO = pathlib.Path(__file__).parents[2]
DET = str(pathlib.Path(sys.executable).with_name("det"))
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONHASHSEED": "0", "COLUMNS": "120"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running stand-in, and a user's home with `det` in reach."""

    master: Master
    home: pathlib.Path

    def det(self, *command: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """`det …` in the user's home; `code` is the exit code that it must have."""
        return commands.run(
            DET, *command, cwd=self.home, code=code, DET_MASTER=self.master.agent.url, HOME=str(self.home)
        )

    def create(self, config: dict[str, Any], context: pathlib.Path, *options: str) -> Experiment:
        """`det experiment create`; returns the experiment."""
        path = self.home / "experiment.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        self.det("experiment", "create", str(path), str(context), *options)
        return self.master.experiments[max(self.master.experiments)]

    def ended(self, experiment: Experiment, state: str = records.COMPLETED) -> Experiment:
        """The experiment once it has ended, which it must in this state, and has deleted what it need not keep."""
        gone = self.master.deleting
        self.master.wait_for(lambda: experiment.state in records.TERMINAL and experiment.id not in gone, timeout=300)
        assert experiment.state == state, f"{experiment.state}\n" + "".join(self.log(experiment))
        return experiment

    def log(self, experiment: Experiment) -> list[str]:
        """The lines that all trials have written."""
        return [line.text for trial in experiment.trials for line in trial.logs]


@pytest.fixture
def cluster(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Cluster]:
    """A cluster of one node with 2 slots, or of (nodes, slots). It must know every request that it gets."""
    nodes, slots = getattr(request, "param", (1, 2))
    if not namespaces_work():
        pytest.skip("containers are made with unshare(1), and this machine does not let us")
    home = tmp_path / "home"
    home.mkdir()
    with running(tmp_path / "cluster", ENVIRONMENT, nodes=nodes, slots=slots) as master:
        yield Cluster(master=master, home=home)
    assert master.unknown == []
    assert master.broken == []


@pytest.fixture
def uploaded(tmp_path: pathlib.Path) -> pathlib.Path:
    """A context with our package and nothing else."""
    ignored = shutil.ignore_patterns("__pycache__")
    return pathlib.Path(shutil.copytree(REPO / "model_def", tmp_path / "context/model_def", ignore=ignored)).parent
