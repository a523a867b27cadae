"""The checks of a training's data: annotation files come from their store while the model is built."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from model_def.checks import check_data
from model_def.checks.place import place_of
from model_def.compose.datasets import annotation_file, evaluators, loader_datasets, proposal_file
from model_def.compose.tree import dotted
from model_def.errors import DataError, Problem
from model_def.experiment_types import Experiment
from model_def.files import on_disk, store
from model_def.storage.address import is_remote
from model_def.storage.backend import StoreBackend


class DataChecks:
    """`check_data` at the earliest moment that keeps nobody waiting.

    Files that are in a store are brought into the disk cache at once, each by a thread of this process. The processes
    of a host fetch each file once; nothing of the threads is left when `late` has returned.
    """

    def __init__(self, config: Config, experiment: Experiment) -> None:
        """Begin to bring what is in a store."""
        self._config, self._experiment = config, experiment
        self._problems: list[Problem] = []
        # A mistake elsewhere must not wait for a large file, so nobody waits for these threads at the end.
        self._threads = [threading.Thread(target=self._bring, args=one, daemon=True) for one in _coming(config)]
        for thread in self._threads:
            thread.start()

    def early(self) -> None:
        """Check now, if no file is on its way.

        Raises:
            DataError: with all that is wrong.
        """
        if not self._threads:
            check_data(self._config, self._experiment)

    def late(self) -> None:
        """Wait for the files that were on their way, and check then.

        Raises:
            DataError: the store doesn't give a file; or else all that is wrong.
        """
        for thread in self._threads:
            thread.join()
        if self._problems:
            raise DataError.of(self._problems)
        if self._threads:
            check_data(self._config, self._experiment)

    def _bring(self, name: str, backend_args: Mapping[str, Any] | None, place: str, key: str) -> None:
        where = place_of(self._experiment, place, key)
        with contextlib.suppress(OSError):  # no disk takes it; the check will say so
            try:
                with on_disk(name, backend_args, context=self._experiment.directory, where=where):
                    pass
            except DataError as error:
                self._problems.extend(error.problems)


def _coming(config: Config) -> Iterator[tuple[str, Mapping[str, Any] | None, str, str]]:
    """Each file in a store that a disk cache can keep: name, backend_args, and the place and key that name it."""
    seen: set[str] = set()
    for node, name, place, key in _listed(config.to_dict()):
        if is_remote(name) and name not in seen:
            seen.add(name)
            backend = store(name, node.get("backend_args"))
            if isinstance(backend, StoreBackend) and backend.cache.takes:
                yield name, node.get("backend_args"), place, key


def _listed(tree: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str, str]]:
    for loader in ("train_dataloader", "val_dataloader"):
        for path, dataset in loader_datasets(tree, loader):
            yield dataset, annotation_file(dataset), dotted(path), "ann_file"
            yield dataset, proposal_file(dataset), dotted(path), "proposal_file"
    for path, evaluator in evaluators(tree, "val_evaluator"):
        yield evaluator, str(evaluator.get("ann_file") or ""), dotted(path), "ann_file"
