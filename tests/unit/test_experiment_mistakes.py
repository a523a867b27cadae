"""Bad experiments: all mistakes at once, and files that can't be read. (One by one: test_wrong.)"""

from __future__ import annotations

import pathlib

import pytest

from model_def.errors import ExperimentError
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
