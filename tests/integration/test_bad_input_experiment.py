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
    "only a comment": says(
        "the file holds nothing", "tiny.yaml:1:1", "`name: …`", prepare=written("tiny.yaml", "# later\n")
    ),
    "a list": says("the file holds a list", "tiny.yaml:1:1", prepare=written("tiny.yaml", "- name\n- searcher\n")),
    "not text": says(
        "isn't UTF-8 text (byte 0)", "save the file as UTF-8", prepare=written("tiny.yaml", b"\xff\xfe\x00a")
    ),
    "a forbidden character": says(
        "not allowed", "tiny.yaml:2:8", "mend line 2", prepare=written("tiny.yaml", "a: 1\nname: a\0b\n")
    ),
    "syntax": says("isn't valid YAML", "'global_batch_size: 2: 3'", "tiny.yaml:5:23", edit=(": 2\n", ": 2: 3\n")),
    "a tab": says(r"found character '\t'", "tiny.yaml:5:1", "by spaces", edit=("  global", "\tglobal")),
    "a duplicate key": says("duplicate key: 'global_batch_size'", "tiny.yaml:6:3", edit=(BATCH, BATCH * 2)),
}

FIELDS: dict[str, Mistake] = {
    "unknown": says(
        "unknown key in the experiment: seacher",
        "tiny.yaml:19:1 (seacher)",
        "did you mean `searcher`?",
        edit=("searcher:", "seacher:"),
    ),
    "unknown hyperparameter": says(
        "unknown key in `hyperparameters`: global_batchsize: 2",
        "tiny.yaml:5:3 (hyperparameters.global_batchsize)",
        "did you mean `global_batch_size`?",
        edit=("global_batch_size", "global_batchsize"),
    ),
    "unknown in dataset": says(
        "`hyperparameters.dataset`: rot: 'data'", "tiny.yaml:7:5", "did you mean `root`?", edit=("root:", "rot:")
    ),
    "unknown in a split": says(
        "unknown key in `hyperparameters.dataset.val`: annfile",
        "tiny.yaml:9:11",
        "did you mean `ann_file`?",
        edit=("val: {ann_file", "val: {annfile"),
    ),
    "unknown in searcher": says(
        "unknown key in `searcher`: smaler_is_better: False",
        "tiny.yaml:22:3",
        "did you mean `smaller_is_better`?",
        edit=("smaller_is", "smaler_is"),
    ),
    "a word for a number": says(
        "`hyperparameters.global_batch_size` can't be a string: 'two'",
        "tiny.yaml:5:3",
        "an integer of 1 or more",
        edit=("size: 2", "size: two"),
    ),
    "too small": says(
        "`hyperparameters.global_batch_size` is not valid: 0", "tiny.yaml:5:3", edit=("size: 2", "size: 0")
    ),
    "a value for a mapping": says(
        "`hyperparameters.dataset` can't be a string: 'data'",
        "command line (dataset=data)",
        "a mapping of classes, root",
        arguments=("dataset=data",),
    ),
    "no classes": says(
        "`hyperparameters.dataset.classes` is not valid: []",
        "tiny.yaml:8:5",
        "one or more",
        edit=("root: data\n", "root: data\n    classes: []\n"),
    ),
    "no batch size": says(
        "`hyperparameters.global_batch_size` is missing\n", "tiny.yaml:3:1 (hyperparameters)", edit=(BATCH, "")
    ),
    "no searcher": says(
        "`searcher` is missing\n",
        "`hyperparameters` is missing\n",
        prepare=written("tiny.yaml", "name: nothing else\n"),
    ),
    "an unknown choice": says(
        "`searcher.name` is not valid: 'simgle'", "tiny.yaml:20:3", "adaptive_asha", edit=("single", "simgle")
    ),
    "a search": says(
        "`optim_wrapper.optimizer.lr` is chosen by a search",
        "10^-4 to 10^-1",
        "model_def train tiny.yaml optim_wrapper.optimizer.lr=0.0001",
        arguments=("optim_wrapper.optimizer.lr={type: log, minval: -4, maxval: -1, base: 10}",),
    ),
    "no key=value": says("not a `key=value`: 'train_cfg'", "write `train_cfg=VALUE`", arguments=("train_cfg",)),
    "no key": says("not a `key=value`: '=3'", "command line (=3)", arguments=("=3",)),
    "no value": says("the value isn't YAML", "'[1'", "in single quotes", arguments=("train_cfg.max_epochs=[1",)),
    "no such item of a list": says(
        "`environment.ports` is a list of 1: no such item: '3'",
        "0 to 0, or -1",
        edit=("searcher:", "environment:\n  ports: [1]\nsearcher:"),
        arguments=("environment.ports.3=1",),
    ),
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


def test_all_mistakes_of_the_yaml_are_told_at_once(place: Place) -> None:
    place.edit("global_batch_size: 2", "global_batch_size: two")
    place.edit("metric: bbox_mAP\n", "metrik: bbox_mAP\n")
    words = ("can't be a string: 'two'", "unknown key in `searcher`: metrik", "`searcher.metric` is missing")
    assert_refused(place, "train", "tiny.yaml", words=words)


def test_a_good_experiment_passes(place: Place) -> None:
    code, out, err = place.run("check", "tiny.yaml")
    assert code == 0, out + err
    assert "✗" not in out
    assert sorted(path.name for path in pathlib.Path().iterdir()) == ["data", "tiny.yaml"]
