"""Mistakes in the YAML and in `key=value`: `train` and `check` say the same, and write nothing."""

from __future__ import annotations

import pathlib

import pytest

from tests.support.place import Mistake, Place, assert_refused, says, written

BATCH = "  global_batch_size: 2\n"


def instead_a_folder(place: Place) -> None:
    """A folder of the experiment's name."""
    (place.root / "tiny.yaml").unlink()
    (place.root / "tiny.yaml").mkdir()


FILE: dict[str, Mistake] = {
    "missing": says(
        "no such experiment file: 'tiny.yaml'",
        "model_def ls",
        prepare=lambda place: (place.root / "tiny.yaml").unlink(),
    ),
    "a folder": says("can't be read (Is a directory)", "ls -l tiny.yaml", prepare=instead_a_folder),
    "empty": says("the experiment file is empty", "an experiment YAML file", prepare=written("tiny.yaml", "\n")),
    "not text": says(
        "isn't UTF-8 text (byte 0)", "save the file as UTF-8", prepare=written("tiny.yaml", b"\xff\xfe\x00a")
    ),
    "a forbidden character": says(
        "not allowed", "tiny.yaml:2:8", "mend line 2", prepare=written("tiny.yaml", "a: 1\nname: a\0b\n")
    ),
    "syntax": says("isn't valid YAML", "'global_batch_size: 2: 3'", "tiny.yaml:5:23", edit=(": 2\n", ": 2: 3\n")),
}

FIELDS: dict[str, Mistake] = {
    "unknown hyperparameter": says(
        "unknown key in `hyperparameters`: global_batchsize: 2",
        "tiny.yaml:5:3 (hyperparameters.global_batchsize)",
        "did you mean `global_batch_size`?",
        edit=("global_batch_size", "global_batchsize"),
    ),
    "unknown in a split": says(
        "unknown key in `hyperparameters.dataset.val`: annfile",
        "tiny.yaml:9:11",
        "did you mean `ann_file`?",
        edit=("val: {ann_file", "val: {annfile"),
    ),
    "no value": says("the value isn't YAML", "'[1'", "in single quotes", arguments=("train_cfg.max_epochs=[1",)),
}


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize("name", FILE)
def test_file(name: str, command: str, place: Place) -> None:
    FILE[name].make(place)
    assert_refused(place, command, "tiny.yaml", words=FILE[name].says)


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize("name", FIELDS)
def test_fields(name: str, command: str, place: Place) -> None:
    FIELDS[name].make(place)
    assert_refused(place, command, "tiny.yaml", *FIELDS[name].arguments, words=FIELDS[name].says)


def test_train_asks_for_the_value_of_a_search_and_check_draws_one(place: Place) -> None:
    search = "optim_wrapper.optimizer.lr={type: log, minval: -4, maxval: -1, base: 10}"
    words = ("`optim_wrapper.optimizer.lr` is chosen by a search", "10^-4 to 10^-1")
    assert_refused(place, "train", "tiny.yaml", search, words=(*words, "tiny.yaml optim_wrapper.optimizer.lr=0.0001"))
    code, out, err = place.run("check", "tiny.yaml", search)
    assert code == 0, out + err


def test_all_mistakes_of_the_yaml_are_told_at_once(place: Place) -> None:
    place.edit("global_batch_size: 2", "global_batch_size: two")
    place.edit("metric: bbox_mAP\n", "metrik: bbox_mAP\n")
    words = ("can't be a string: 'two'", "unknown key in `searcher`: metrik")
    assert_refused(place, "train", "tiny.yaml", words=words)


def test_a_good_experiment_passes(place: Place) -> None:
    code, out, err = place.run("check", "tiny.yaml")
    assert code == 0, out + err
    assert "✗" not in out
    assert sorted(path.name for path in pathlib.Path().iterdir()) == ["data", "tiny.yaml"]
