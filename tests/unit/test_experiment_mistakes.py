"""Bad experiments: each mistake is one clear problem with what, value, where, what is allowed and what to do next."""

from __future__ import annotations

import pathlib
import re

import pytest

from model_def.errors import ABSENT, ExperimentError
from model_def.experiment import load_experiment

GOOD = """\
name: trees
searcher:
  name: single
  metric: bbox_mAP
hyperparameters:
  config_file: retinanet/retinanet_r18_fpn_1x_coco.py
  global_batch_size: 4
"""
OVERRIDE = GOOD + "  override_mmdet_config:\n"
DATASET = GOOD + "  dataset:\n    train: {ann_file: a.json}\n"


def replaced(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


# text, assignments, words of `what`, place, words of `allowed` and `next`
CASES = {
    "unknown top-level key": (
        GOOD + "reproducibilty: {}\n",
        [],
        "unknown key in the experiment",
        ":8:1",
        "`reproducibility`",
    ),
    "unknown searcher key": (replaced("  metric", "  metrc"), [], "unknown key in `searcher`", ":4:3", "`metric`"),
    "unknown hyperparameter": (GOOD + "  use_pretraind: true\n", [], "use_pretraind", ":8:3", "`use_pretrained`"),
    "unknown resources key": (
        GOOD + "resources: {slots_pr_trial: 2}\n",
        [],
        "`resources`",
        ":8:13",
        "`slots_per_trial`",
    ),
    "unknown storage key": (
        GOOD + "checkpoint_storage: {type: shared_fs, save_best: 2}\n",
        [],
        "save_best",
        ":8:39",
        "save_trial_best",
    ),
    "unknown reproducibility key": (GOOD + "reproducibility: {seed: 2}\n", [], "seed", ":8:19", "experiment_seed"),
    "unknown environment key": (GOOD + "environment: {imag: x}\n", [], "`environment`", ":8:15", "`image`"),
    "unknown profiling key": (GOOD + "profiling: {enable: true}\n", [], "`profiling`", ":8:13", "`enabled`"),
    "unknown dataset key": (DATASET + "    valid: {ann_file: b.json}\n", [], "valid", ":10:5", "`val`"),
    "unknown split key": (
        DATASET + "    val: {ann: b.json, ann_file: b.json}\n",
        [],
        "hyperparameters.dataset.val",
        ":10:11",
        "ann_file",
    ),
    "no hyperparameters": (
        "searcher: {name: single, metric: a}\n",
        [],
        "`hyperparameters` is missing",
        "",
        "config_file",
    ),
    "no searcher": (
        GOOD.replace("searcher:\n  name: single\n  metric: bbox_mAP\n", ""),
        [],
        "`searcher` is missing",
        "",
        "metric",
    ),
    "no metric": (replaced("  metric: bbox_mAP\n", ""), [], "`searcher.metric` is missing", ":2:1", "bbox_mAP"),
    "null metric": (replaced("bbox_mAP", "null"), [], "`searcher.metric` is missing", ":4:3", "bbox_mAP"),
    "no config_file": (
        GOOD.replace("  config_file: retinanet/retinanet_r18_fpn_1x_coco.py\n", ""),
        [],
        "config_file` is missing",
        ":5:1",
        "zoo",
    ),
    "no batch size": (
        GOOD.replace("  global_batch_size: 4\n", ""),
        [],
        "global_batch_size` is missing",
        ":5:1",
        "integer",
    ),
    "no validation set": (DATASET, [], "`hyperparameters.dataset.val` is missing", ":8:3", "ann_file"),
    "batch size as text": (replaced("size: 4", "size: four"), [], "can't be a string", ":7:3", "integer of 1 or more"),
    "batch size as fraction": (
        replaced("size: 4", "size: 4.5"),
        [],
        "can't be a fraction",
        ":7:3",
        "integer of 1 or more",
    ),
    "batch size as boolean": (
        replaced("size: 4", "size: yes"),
        [],
        "can't be a boolean",
        ":7:3",
        "integer of 1 or more",
    ),
    "batch size zero": (replaced("size: 4", "size: 0"), [], "is not valid", ":7:3", "1 or more"),
    "negative seed": (GOOD + "reproducibility: {experiment_seed: -1}\n", [], "experiment_seed", ":8:19", "0 or more"),
    "searcher as text": (
        GOOD.replace("searcher:\n  name: single\n  metric: bbox_mAP\n", "searcher: single\n"),
        [],
        "can't be a string",
        ":2:1",
        "metric",
    ),
    "searcher name": (
        replaced("name: single", "name: asha"),
        [],
        "`searcher.name` is not valid",
        ":3:3",
        "adaptive_asha",
    ),
    "policy": (GOOD + "checkpoint_policy: last\n", [], "`checkpoint_policy` is not valid", ":8:1", "best, all, none"),
    "boolean field": (GOOD + "perform_initial_validation: 1\n", [], "can't be a number", ":8:1", "true or false"),
    "label": (GOOD + "labels: [a, 3]\n", [], "`labels.1` can't be a number", ":8:13", "a string"),
    "classes": (
        DATASET + "    val: {ann_file: b}\n    classes: tree\n",
        [],
        "can't be a string",
        ":11:5",
        "list of strings",
    ),
    "period without unit": (GOOD + "min_validation_period: 5\n", [], "can't be a number", ":8:1", "{epochs: n}"),
    "period with two units": (
        GOOD + "min_checkpoint_period: {epochs: 1, batches: 2}\n",
        [],
        "must have one unit",
        ":8:1",
        "{epochs: 12}",
    ),
    "period with a wrong unit": (GOOD + "min_validation_period: {epoch: 1}\n", [], "epoch", ":8:25", "`epochs`"),
    "max_length without unit": (
        replaced("bbox_mAP", "bbox_mAP\n  max_length: 100"),
        [],
        "`searcher.max_length` has no unit",
        ":5:3",
        "epochs",
    ),
    "cloud data": (GOOD + "  file_client_args: {backend: s3}\n", [], "backend` is not valid", ":8:22", "disk"),
    "cloud data in the old place": (
        GOOD + "data: {file_client_args: {backend: gcs}}\n",
        [],
        "data.file_client_args.backend",
        ":8:27",
        "disk",
    ),
    "a search of numbers": (
        OVERRIDE + "    optim_wrapper.optimizer.lr: {type: double, minval: 0.1, maxval: 0.5}\n",
        [],
        "chosen by a search",
        ":9:5",
        "0.1 to 0.5.*optim_wrapper.optimizer.lr=0.1",
    ),
    "a search over powers": (
        replaced("size: 4", "size: {type: log, base: 2, minval: 1, maxval: 4}"),
        [],
        "search",
        ":7:3",
        "global_batch_size=2",
    ),
    "a search of choices": (
        GOOD.replace(
            "config_file: retinanet/retinanet_r18_fpn_1x_coco.py",
            "config_file: {type: categorical, vals: [a.py, b.py]}",
        ),
        [],
        "search",
        ":6:3",
        "'a.py' or 'b.py'.*config_file=a.py",
    ),
    "half a search": (OVERRIDE + "    x: {type: int, minval: 1}\n", [], "maxval` is missing", ":9:5", "an integer"),
    "syntax error": (
        "name: trees\nsearcher: {name: single\nlabels: x\n",
        [],
        "isn't valid YAML",
        ":3:7",
        "mend line 3",
    ),
    "tab": ("name: x\nsearcher:\n\tname: single\n", [], "isn't valid YAML", ":3:1", "spaces"),
    "unknown tag": (GOOD + "x: !!python/object:os.system {}\n", [], "isn't valid YAML", ":8:4", "line 8"),
    "unknown alias": (GOOD + "x: *nothing\n", [], "undefined alias", ":8:4", "line 8"),
    "duplicate key": (GOOD + "name: oaks\n", [], "duplicate key", ":8:1", "remove one"),
    "duplicate deep key": (GOOD + "  config_file: x.py\n", [], "duplicate key", ":8:3", "remove one"),
    "boolean key": (GOOD + "on: 3\n", [], "boolean", ":8:1", "quotes|remove|rename"),
    "self reference": (GOOD + "x: &a {y: *a}\n", [], "refers to itself", ":8", ""),
    "a list": ("- a\n- b\n", [], "a mapping of keys to values; the file holds a list", ":1:1", "hyperparameters"),
    "a word": ("trees\n", [], "the file holds a single value", ":1:1", "hyperparameters"),
    "only comments": ("# nothing\n", [], "the file holds nothing", ":1:1", "hyperparameters"),
    "empty": ("  \n", [], "is empty", "bad.yaml", "ls"),
    "assignment without =": (
        GOOD,
        ["global_batch_size"],
        "not a `key=value`",
        "command line",
        "global_batch_size=VALUE",
    ),
    "assignment without key": (GOOD, ["=3"], "not a `key=value`", r"command line \(=3\)", "key=value"),
    "assignment with an empty part": (GOOD, ["model..x=3"], "not a `key=value`", "command line", "key=value"),
    "assignment isn't YAML": (GOOD, ["model.x=[1"], "isn't YAML", r"command line \(model.x=\[1\)", "single quotes"),
    "assignment below a value": (GOOD, ["name.first=x"], "single value", "command line", "`name=VALUE`"),
    "assignment beyond a list": (GOOD + "labels: [a]\n", ["labels.3=x"], "no such item", "command line", "0 to 0"),
    "assigned wrong type": (GOOD, ["global_batch_size=many"], "can't be a string", "command line", "integer"),
    "assigned unknown key": (GOOD, ["searcher.metrik=x"], "unknown key in `searcher`", "command line", "`metric`"),
}


@pytest.mark.parametrize("name", CASES)
def test_one_clear_problem(name: str, tmp_path: pathlib.Path) -> None:
    text, assignments, what, where, allowed_or_next = CASES[name]
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ExperimentError) as caught:
        load_experiment(path, assignments)
    matching = [problem for problem in caught.value.problems if re.search(what, f"{problem.what}: {problem.value}")]
    assert len(matching) == 1, str(caught.value)
    (problem,) = matching
    assert re.search(where, problem.where), problem.where
    assert re.search(allowed_or_next, f"{problem.allowed} {problem.next}", re.DOTALL), str(problem)
    assert (problem.value is ABSENT) == problem.what.endswith("is missing")
    assert problem.where
    assert problem.next
    assert caught.value.exit_code == 2


def test_all_at_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD.replace("size: 4", "size: x") + "nme: 1\n")
    with pytest.raises(ExperimentError) as caught:
        load_experiment(path, ["foo", "searcher.metric=3", "model.x={type: int, minval: 1, maxval: 2}"])
    assert len(caught.value.problems) == 5, str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "directory", "not text"])
def test_files_that_can_not_be_read(kind: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "bad.yaml"
    if kind == "directory":
        path.mkdir()
    if kind == "not text":
        path.write_bytes(b"name: \xff\xfe")
    words = {"missing": "no such experiment file", "directory": "can't be read", "not text": "isn't UTF-8"}
    with pytest.raises(ExperimentError, match=words[kind]) as caught:
        load_experiment(path)
    assert str(path) in str(caught.value)
    assert caught.value.problems[0].next
