"""Failures that a restart can't mend: which they are, what is said, and that the experiments' policies see it."""

from __future__ import annotations

import json
import pathlib
import re
import urllib.error

import pytest
import yaml

from model_def import lasting
from model_def.errors import ConfigError, DataError, Stopped, TrainingError
from tests.support.commands import REPO

EXPERIMENTS = sorted((REPO / "experiments").rglob("*.yaml"))


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "lasts"),
    [
        (ConfigError(what="x"), True),
        (TrainingError("the loss is not finite"), True),
        (NameError("name 'nupmy' is not defined"), True),
        (FileNotFoundError("data/mine.pkl"), True),
        (RuntimeError("NCCL error: unhandled system error"), False),
        (OSError(28, "No space left on device"), False),
        (Stopped("x", signal_number=15), False),
        (caused(DataError(what="x"), ConnectionRefusedError()), False),
        (caused(DataError(what="x"), FileNotFoundError()), True),
        (caused(DataError(what="x"), urllib.error.HTTPError("http://x", 404, "Not Found", None, None)), True),
        (caused(DataError(what="x"), urllib.error.HTTPError("http://x", 503, "Unavailable", None, None)), False),
        (caused(DataError(what="x"), urllib.error.URLError("Name or service not known")), False),
    ],
)
def test_whether_it_lasts(error: Exception, lasts: bool):
    assert lasting.lasts(error) is lasts


def test_a_mistake_in_code_is_shown_with_its_place():
    try:
        {}["mine"]
    except KeyError as error:
        *trace, last = lasting.message(error).splitlines()
    assert trace[0] == "Traceback (most recent call last):"
    assert re.fullmatch(r"A restart can't mend this: KeyError: 'mine' \(.*test_lasting\.py:\d+, in test_.*\)", last)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_each_experiment_ends_there(path: pathlib.Path):
    policies = yaml.safe_load(path.read_text())["log_policies"]
    [pattern] = [policy["pattern"] for policy in policies if policy["action"] == "cancel_retries"]
    assert re.search(pattern, lasting.message(ConfigError(what="x")).splitlines()[0])


def test_torchrun_is_told(tmp_path, monkeypatch):
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

    file = tmp_path / "error.json"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(file))
    lasting.tell_launcher("what was wrong")
    failure = ProcessFailure(local_rank=0, pid=1, exitcode=2, error_file=str(file))
    assert failure.message["message"] == "what was wrong"
    assert abs(failure.timestamp - int(json.loads(file.read_text())["message"]["extraInfo"]["timestamp"])) < 1
