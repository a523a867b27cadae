"""The command line: help, mistakes, exit codes."""

import errno
import operator
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model_def import cli
from model_def.errors import ConfigError, Stopped, TrainingError

REPOSITORY = Path(__file__).parents[2]


def run(*arguments, cwd=REPOSITORY, **environment):
    return subprocess.run(
        [sys.executable, "-m", "model_def", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_imports_nothing_heavy():
    code = "import sys, model_def.cli; print({'torch', 'mmengine', 'rich', 'yaml'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_help_names_every_command_with_examples(arguments, capsys):
    assert cli.main(arguments) == 0
    text = capsys.readouterr().out
    for command in ("train", "search", "check", "ls", "cp", "data", "predict", "env"):
        assert f"\n  {command} " in text
    assert "python -m model_def train experiments/quickstart.yaml" in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian", "x.yaml"], "did you mean train?"),
        (["frobnicate"], "there are train, search, check, explain, migrate, ls, cp, data, predict, env"),
        (["train"], "required: EXPERIMENT.yaml\n"),
        (["train", "x.yaml", "--ouput", "here"], "did you mean --output?"),
        (["train", "x.yaml", "--output"], "expected one argument"),
        (["data", "quikstart"], "choose from"),
        (["data", "coco"], "required: --to"),
        (["data", "coco", "--to", "x", "--thread", "4"], "did you mean --threads?"),
        (["data", "put", "x"], "required: s3://…|gs://…"),
        (["data", "put", "x", "s3://b", "--threads", "0"], "invalid number from 1 to 256 value: '0'"),
        (["data", "check"], "required: EXPERIMENT.yaml"),
        (["predict", "out"], "required: IMAGE"),
        (["predict", "out", "a.png", "--threshold", "30"], "invalid score from 0 to 1 value: '30'\n"),
        (["ls", "--al"], "unrecognized arguments: --al"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_a_hint(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: python -m model_def ")
    assert message in err


def test_a_command_of_data_comes_before_its_options(capsys):
    assert cli.main(["data", "--root", "x", "coco"]) == 2
    assert "next:    python -m model_def data coco --help" in capsys.readouterr().err


def test_a_missing_experiment_ends_with_2_in_one_message_and_writes_nothing(tmp_path):
    result = run("train", "nothing.yaml", cwd=tmp_path)
    assert result.returncode == 2
    assert "nothing.yaml" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_options_may_stand_between_assignments():
    parsed = cli.parse(["train", "x.yaml", "a=1", "--output", "here", "b=-2"])
    assert (parsed.assignments, parsed.output) == (["a=1", "b=-2"], Path("here"))


@pytest.mark.parametrize(
    ("arguments", "path", "assignments"),
    [
        ([], None, []),
        (["--resume"], "", []),
        (["--resume", "output/x/1"], "output/x/1", []),
        (["--resume", "a=1"], "", ["a=1"]),
        (["a=1", "--resume"], "", ["a=1"]),
    ],
)
def test_resume_takes_a_path_or_none(arguments, path, assignments):
    parsed = cli.parse(["train", "x.yaml", *arguments])
    assert cli._resume_path(parsed) == path
    assert parsed.assignments == assignments


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError(what="no such config", value="x.py", allowed="a config"), 2, "no such config: 'x.py'"),
        (TrainingError("the loss is nan"), 1, "the loss is nan"),
        (Stopped("go on with --resume", signal_number=signal.SIGTERM), 143, "go on with --resume"),
        (Stopped("go on with --resume", signal_number=signal.SIGINT), 130, "go on with --resume"),
        (KeyboardInterrupt(), 130, "stopped before there was anything to save"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere"), 2, "the disk is full: /somewhere"),
        (RuntimeError("operator torchvision::nms does not exist"), 2, "next:    pip uninstall torchvision"),
    ],
)
def test_what_is_foreseen_becomes_a_message_and_an_exit_code(error, code, message, monkeypatch, capsys):
    def fail(_):
        raise error

    monkeypatch.setitem(cli._COMMANDS, "env", fail)
    assert cli.main(["env"]) == code
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_a_defect_shows_its_traceback_and_how_to_report_it(monkeypatch, capsys):
    monkeypatch.setitem(cli._COMMANDS, "env", operator.attrgetter("missing"))  # no line of the user's own
    assert cli.main(["env"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "AttributeError" in err
    assert "report" in err.splitlines()[-1]


def test_another_rank_says_who_it_is_and_lets_the_first_speak_first(tmp_path):
    start = time.monotonic()
    result = run("train", "nothing.yaml", cwd=tmp_path, RANK="1", WORLD_SIZE="2")
    assert result.returncode == 2
    assert result.stderr.startswith("rank 1: ")
    assert time.monotonic() - start > 2


def test_a_reader_that_goes_away_is_no_defect():
    command = [sys.executable, "-m", "model_def", "ls", "coco"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_ls_finds_zoo_configs_by_all_words(capsys):
    assert cli.main(["ls", "RTMDet", "tiny"]) == 0
    text = capsys.readouterr().out
    assert "rtmdet/rtmdet_tiny_8xb32-300e_coco.py" in text
    assert all("tiny" in line for line in text.splitlines() if line.startswith("rtmdet/"))


def test_ls_shows_an_experiment_with_its_first_comment(tmp_path, monkeypatch, capsys):
    (tmp_path / "experiments" / "family").mkdir(parents=True)
    (tmp_path / "experiments" / "family" / "mine.yaml").write_text("#\n# Counts the sheep.\n# More.\nname: mine\n")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["ls"]) == 0
    assert "experiments/family/mine.yaml" in (text := capsys.readouterr().out)
    assert "Counts the sheep." in text
    assert cli.main(["ls", "goats"]) == 0
    assert "nothing matches 'goats'" in capsys.readouterr().out


def test_env_tells_versions_operators_and_devices(capsys):
    assert cli.main(["env"]) == 0
    text = capsys.readouterr().out.replace("mmcv ops", "mmcv_ops")
    lines = dict(line.split(maxsplit=1) for line in text.splitlines())
    assert lines["stack"] in ("openmmlab", "onedl")
    assert lines["torch"].startswith("2.")
    assert lines["mmcv_ops"].startswith("compiled for CPU")
    assert "cores" in lines["device"] or "cuda" in lines["device"]
