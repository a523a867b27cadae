"""Output directories: chosen, claimed, found again."""

import errno
import os
import shutil
import threading
import zipfile

import pytest

from model_def.claim import claimed
from model_def.errors import ConfigError, OutputError, TrainingError, WeightsError
from model_def.output import STATE, Model, find_model, find_resume, new_output, newest_output


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_run(path, steps=(10, 20), best=10):
    for step in steps:
        (path / "checkpoints" / str(step)).mkdir(parents=True)
        for name in ("model.pth", *STATE):
            with zipfile.ZipFile(path / "checkpoints" / str(step) / name, "w") as archive:  # as torch writes it
                archive.writestr("data", "weights")
    (path / "checkpoints" / "latest").symlink_to(str(steps[-1]))
    (path / "checkpoints" / "best").symlink_to(str(best))
    (path / "config.py").write_text("")
    return path


def test_a_name_becomes_a_folder_that_a_shell_can_type(tmp_path):
    assert new_output("my first/trial ☺").parent.as_posix() == "output/my-first-trial"
    assert new_output("../..").parent.as_posix() == "output/experiment"


def test_a_claimed_directory_that_stays_empty_goes_away_again(tmp_path):
    with claimed(tmp_path / "output" / "x" / "1") as output:
        assert output.is_dir()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyError), claimed(tmp_path / "output" / "x" / "1"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_claimed_directory_that_was_filled_stays(tmp_path):
    with claimed(tmp_path / "output" / "x" / "1") as output:
        (output / "config.py").write_text("")
    assert (tmp_path / "output" / "x" / "1" / "config.py").is_file()


@pytest.mark.parametrize(
    ("error", "result", "stays"),
    [
        (ConfigError(what="a mistake"), "", False),
        (ConfigError(what="a mistake"), "a line", True),
        (TrainingError("a failure"), "", True),
    ],
)
def test_a_mistake_leaves_nothing_half_written_but_results_stay(tmp_path, error, result, stays):
    def train():
        with claimed(tmp_path / "output" / "1") as output:
            (output / "config.py").write_text("")
            (output / "metrics.jsonl").write_text(result)
            raise error

    with pytest.raises(type(error)):
        train()
    assert (tmp_path / "output" / "1" / "config.py").exists() is stays
    assert (tmp_path / "output").exists() is stays


def test_a_mistake_takes_nothing_away_that_was_there_before(tmp_path):
    run = make_run(tmp_path / "run")
    (tmp_path / "mine").mkdir()
    for path, resume in ((run, True), (tmp_path / "mine", False)):
        with pytest.raises(ConfigError), claimed(path, resume=resume):
            raise ConfigError(what="a mistake")
        assert path.is_dir()
    assert (run / "config.py").exists()


def test_an_empty_directory_of_the_user_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    with claimed(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").is_dir()


@pytest.mark.parametrize("kind", ["file in the way", "read-only"])
def test_a_directory_that_cannot_be_written(tmp_path, kind):
    if kind == "read-only":
        if os.geteuid() == 0:
            place = "/proc/nothing"  # nobody writes there, not even root
        else:
            (tmp_path / "locked").mkdir(mode=0o500)
            place = tmp_path / "locked" / "x"
    else:
        (tmp_path / "file").write_text("")
        place = tmp_path / "file" / "x"
    with pytest.raises(OutputError, match="can't be written") as error, claimed(type(tmp_path)(place)):
        pass
    assert "--output DIR" in str(error.value)


def test_a_directory_with_results_is_not_written_over(tmp_path):
    run = make_run(tmp_path / "run")
    with pytest.raises(OutputError, match="already holds something") as error, claimed(run):
        pass
    assert f"--resume {run}" in str(error.value)
    with claimed(run, resume=True) as output:
        assert output == run


def test_resume_without_a_path_takes_the_newest_output_with_a_checkpoint(tmp_path):
    make_run(tmp_path / "output" / "x" / "20250101-000000")
    newest = make_run(tmp_path / "output" / "x" / "20250102-000000")
    (tmp_path / "output" / "x" / "20250103-000000").mkdir()  # failed before its first checkpoint
    make_run(tmp_path / "output" / "y" / "20250104-000000")
    found = find_resume(None, name="x")
    assert found.checkpoint == newest / "checkpoints" / "20"
    assert found.output.resolve() == newest


def test_resume_an_output_directory_or_its_latest_checkpoint_goes_on_in_place(tmp_path):
    run = make_run(tmp_path / "run")
    for path in (run, run / "checkpoints" / "latest", run / "checkpoints" / "20"):
        found = find_resume(path, name="x")
        assert (found.checkpoint, found.output) == (run / "checkpoints" / "20", run)


def test_resume_an_older_checkpoint_starts_a_new_output(tmp_path):
    run = make_run(tmp_path / "run")
    found = find_resume(run / "checkpoints" / "best", name="x")
    assert (found.checkpoint, found.output) == (run / "checkpoints" / "10", None)


@pytest.mark.parametrize("path", [None, "nothing", "empty"])
def test_nothing_to_resume(tmp_path, path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="checkpoint"):
        find_resume(tmp_path / path if path else None, name="x")


def test_the_model_of_an_output_directory_is_its_best(tmp_path):
    run = make_run(tmp_path / "run")
    found = find_model(run)
    assert (found.config, found.home) == (run / "config.py", run)
    assert found.weights.resolve() == run / "checkpoints" / "10" / "model.pth"
    (run / "checkpoints" / "best").unlink()
    assert find_model(run).weights.resolve() == run / "checkpoints" / "20" / "model.pth"


def test_the_model_of_a_checkpoint(tmp_path):
    run = make_run(tmp_path / "run")
    folder = run / "checkpoints" / "20"
    assert find_model(folder) == Model(weights=folder / "model.pth", config=run / "config.py", home=run)


def test_a_model_that_has_left_its_run_brings_its_config(tmp_path):
    """A cluster's checkpoint, and a file."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(make_run(tmp_path / "run") / "checkpoints" / "20", folder)
    alone = Model(weights=folder / "model.pth", config=None, home=folder)
    assert find_model(folder) == find_model(folder / "model.pth") == alone


def test_no_model(tmp_path):
    with pytest.raises(WeightsError, match="no trained model"):
        find_model(tmp_path)
    with pytest.raises(WeightsError, match="'x' has a checkpoint"):
        newest_output("x", holding="checkpoints/latest")


def test_a_thread_that_finds_the_disk_full_prints_no_traceback(tmp_path, monkeypatch):
    """TensorBoard's; it raises the error again in the main thread."""
    printed = []
    monkeypatch.setattr(threading, "excepthook", lambda args: printed.append(args.exc_value))

    def fail(error):
        raise error

    with claimed(tmp_path / "run"):
        for error in (OSError(errno.ENOSPC, "no space left"), other := ValueError("something else")):
            thread = threading.Thread(target=fail, args=(error,))
            thread.start()
            thread.join()
    assert printed == [other]


def test_a_full_disk_becomes_a_message_of_how_to_go_on(tmp_path):
    def fail(**options):
        with claimed(tmp_path / "run", **options):
            raise OSError(errno.ENOSPC, "no space left", "somewhere")

    with pytest.raises(OutputError, match="the disk is full: 'somewhere'") as error:
        fail()
    assert "start again" in error.value.problems[0].next
    make_run(tmp_path / "run")
    with pytest.raises(OutputError) as error:
        fail(resume=True)
    assert error.value.problems[0].next.endswith(f"--resume {tmp_path / 'run'}")
