"""`check`: each step with its mark."""

import re

import pytest
import yaml

from model_def import cli
from model_def.datasets import made


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return made(tmp_path_factory.mktemp("made") / "data").root


@pytest.fixture
def experiment(tmp_path, data):
    content = {
        "name": "tiny",
        "entrypoint": "python3 -m determined.launch.torch_distributed python3 -m model_def.train",
        "hyperparameters": {
            "config_file": "retinanet/retinanet_r18_fpn_1x_coco.py",
            "global_batch_size": 2,
            "dataset": {
                "root": str(data),
                "train": {"ann_file": "train.json", "img_prefix": "train/"},
                "val": {"ann_file": "val.json", "img_prefix": "val/"},
            },
            "override_mmdet_config": {
                "model.backbone": {"init_cfg": None, "base_channels": 8},
                "model.neck": {"in_channels": [8, 16, 32, 64], "out_channels": 16},
                "model.bbox_head": {"in_channels": 16, "feat_channels": 16, "stacked_convs": 1},
            },
        },
        "searcher": {"name": "single", "metric": "bbox_mAP", "smaller_is_better": False},
    }
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def check(capsys, *arguments):
    """(exit code, {step: mark}, text)"""
    code = cli.main(["check", *map(str, arguments)])
    text = capsys.readouterr().out
    marks = sorted(re.findall(r"^([✓✗–]) (\w+)", text, re.MULTILINE))  # of many equal steps the worst
    return code, {step: mark for mark, step in marks}, text


STEPS = ["experiment", "config", "batch", "model", "data", "training", "weights", "metric"]


def test_all_is_well(experiment, capsys):
    code, marks, text = check(capsys, experiment)
    assert code == 0
    assert marks == dict.fromkeys(STEPS, "✓")
    for part in ("2 images = 1 × 2", "RetinaNet", "8 images to train, 4 to validate; 2 classes (rectangle, ellipse)"):
        assert part in text


def test_what_depends_on_a_failed_step_is_not_tried(experiment, capsys):
    code, marks, _ = check(capsys, experiment.with_name("nothing.yaml"))
    assert code == 2
    assert marks == {"experiment": "✗", **dict.fromkeys(STEPS[1:], "–")}
    code, marks, _ = check(capsys, experiment, "hyperparameters.config_file=retinanet/nothing.py")
    assert code == 2
    assert marks == {"experiment": "✓", "config": "✗", **dict.fromkeys(STEPS[2:], "–")}


def test_steps_that_do_not_depend_on_a_failed_one_are_tried(experiment, capsys):
    code, marks, text = check(capsys, experiment, "val_dataloader.dataset.ann_file=nothing.json")
    assert code == 2
    assert marks == {**dict.fromkeys(STEPS, "✓"), "data": "✗", "training": "–", "metric": "–"}
    assert "nothing.json" in text


def test_a_metric_that_no_evaluator_reports(experiment, capsys):
    code, marks, text = check(capsys, experiment, "searcher.metric=bbox_map")
    assert code == 2
    assert marks == {**dict.fromkeys(STEPS, "✓"), "metric": "✗"}
    assert "allowed: bbox_mAP, bbox_mAP_50" in text


def test_a_model_that_cannot_be_built(experiment, capsys):
    code, marks, text = check(capsys, experiment, "model.neck.num_outs=1")
    assert code == 2
    assert marks["model"] == "✗"
    assert "assert num_outs >= self.num_ins - start_level" in text
    assert "fpn.py:" in text
    assert "Traceback" not in text
