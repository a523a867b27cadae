"""`check`: each step with its mark."""

import os
import re
import subprocess
import sys

import pytest
import yaml

from model_def import cli
from model_def.datasets import made
from tests.support.commands import ENVIRONMENT


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


STEPS = ["experiment", "config", "components", "batch", "model", "memory", "weights", "data", "training", "metric"]


def test_all_is_well(experiment, capsys):
    code, marks, text = check(capsys, experiment)
    assert code == 0
    assert marks == dict.fromkeys(STEPS, "✓")
    for part in ("2 images = 1 × 2", "RetinaNet", "8 images to train, 4 to validate; 2 classes (rectangle, ellipse)"):
        assert part in text
    assert re.search(r"memory +in each process .*: parameters .*, gradients .*, optimizer state .*, buffers", text)
    assert "activations come on top; --run measures them" in text
    assert "took 1.7 GB on each GPU (8x V100 GPUs, a batch of 2 on each)" in text


def test_what_depends_on_a_failed_step_is_not_tried(experiment, capsys):
    code, marks, _ = check(capsys, experiment.with_name("nothing.yaml"))
    assert code == 2
    assert marks == {"experiment": "✗", **dict.fromkeys(STEPS[1:], "–")}
    code, marks, text = check(capsys, experiment, "hyperparameters.config_file=retinanet/nothing.py")
    assert code == 2
    assert marks == {"experiment": "✓", "config": "✗", **dict.fromkeys(STEPS[2:], "–")}
    assert "– memory      not tried: it needs `model`" in text


def test_steps_that_do_not_depend_on_a_failed_one_are_tried(experiment, capsys):
    code, marks, text = check(capsys, experiment, "val_dataloader.dataset.ann_file=nothing.json")
    assert code == 2
    assert marks == {**dict.fromkeys(STEPS, "✓"), "data": "✗", "training": "–", "schedule": "✓"}
    assert "nothing.json" in text
    assert "✓ schedule    12 epochs of 4 batches\n" in text
    assert "a validation after every epoch\n" in text
    assert "– training    not tried: the data has to be there" in text


def test_a_metric_that_no_evaluator_reports(experiment, capsys):
    code, marks, text = check(capsys, experiment, "searcher.metric=bbox_map")
    assert code == 2
    assert marks == {**dict.fromkeys(STEPS, "✓"), "metric": "✗"}
    assert "allowed: bbox_mAP, bbox_mAP_50" in text


def test_the_image_is_looked_up(experiment, capsys):
    code, marks, text = check(capsys, experiment, "environment.image=localhost:1/me/mmdet:1")
    assert code == 0
    assert marks == dict.fromkeys([*STEPS, "image"], "✓")
    assert "✓ image       localhost:1/me/mmdet:1, not looked up: localhost:1 doesn't answer" in text


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ("pictures=[nowhere.jpg]", "no image of the validation set has this name: 'nowhere.jpg'"),
        ("pictures=5", "the validation set has fewer images with boxes to draw: 5"),
        ("profile_batches=[48, 49]", "allowed: batches from 1 to 48"),
    ],
)
def test_what_is_to_be_watched_is_looked_for(experiment, capsys, mistake, told):
    code, marks, text = check(capsys, experiment, mistake)
    assert code == 2
    assert marks == {**dict.fromkeys(STEPS, "✓"), "training": "✗"}
    assert told in text


def test_the_batches_are_those_of_all_slots(experiment, capsys):
    *_, text = check(capsys, experiment, "resources.slots_per_trial=2")
    assert "12 epochs of 4 batches of 2 images = 48 batches" in text


def test_a_model_that_cannot_be_built(experiment, capsys):
    code, marks, text = check(capsys, experiment, "model.neck.num_outs=1")
    assert code == 2
    assert (marks["model"], marks["batch"], marks["data"], marks["metric"]) == ("✗", "✓", "✓", "✓")
    assert "assert num_outs >= self.num_ins - start_level" in text
    assert "fpn.py:" in text
    assert "Traceback" not in text


def test_run_trains_on_a_batch_of_the_data_and_writes_nothing(experiment, capsys, monkeypatch):
    monkeypatch.chdir(experiment.parent)
    code, marks, text = check(capsys, experiment, "--run", "global_batch_size=4")
    assert code == 0, text
    assert marks == dict.fromkeys([*STEPS, "run"], "✓")
    assert re.search(r"run +your data, on 2 of a batch's 4 images, on the cpu: loss [\d.]+\n", text)
    assert re.search(
        r"[\d.]+ s forward, backward and update; [\d.]+ s to predict\n +[\d.]+ (MiB|GiB) at the peak", text
    )
    assert "activations" not in text
    assert [path.name for path in experiment.parent.iterdir()] == ["tiny.yaml"]


def test_run_takes_random_images_where_there_is_no_data(experiment, capsys):
    small = "train_dataloader.dataset.pipeline.2.scale=[96, 64]"
    code, marks, text = check(capsys, experiment, "--run", "dataset.root=nowhere", "dataset.classes=[a, b]", small)
    assert code == 2
    assert (marks["data"], marks["training"], marks["run"]) == ("✗", "–", "✓")
    assert "12 epochs, drawn as if an epoch had 1,000 batches\n" in text
    assert "random images of 96 × 64 (there is no data)" in text


def test_run_shows_layers_that_do_not_fit_together(experiment, capsys):
    code, marks, text = check(capsys, experiment, "--run", "model.bbox_head.in_channels=8")
    assert code == 2
    assert marks == {**dict.fromkeys(STEPS, "✓"), "run": "✗"}
    assert "the model can't be trained on its first batch" in text


def test_a_search_is_checked_at_both_ends_and_for_each_choice(experiment, capsys):
    configs = "config_file={type: categorical, vals: [retinanet/retinanet_r18_fpn_1x_coco.py, retinanet/nothing.py]}"
    rates = "optim_wrapper.optimizer.lr={type: log, base: 10, minval: -3, maxval: -1}"
    code, marks, text = check(capsys, experiment, rates)
    assert (code, marks["search"]) == (0, "✓")
    assert "a draw of its search: optim_wrapper.optimizer.lr=0.001\n" in text
    assert "✓ search      2 draws assemble" in text
    code, marks, text = check(capsys, experiment, configs, rates)
    assert code == 2
    assert marks == {**dict.fromkeys(STEPS, "✓"), "search": "✗"}
    assert "with config_file=retinanet/nothing.py optim_wrapper.optimizer.lr=0.1: no such config file" in text


def test_the_heaviest_config_imports_nothing_that_a_look_does_not_need(tmp_path):
    """Seconds depend on the machine; what they go to does not. The sizes are DINO's with a Swin-L."""
    lines = ["name: x", "entrypoint: x", "hyperparameters:", "  config_file: dino/dino-5scale_swin-l_8xb2-36e_coco.py"]
    lines += ["  global_batch_size: 16", "searcher: {name: single, metric: bbox_mAP, smaller_is_better: false}"]
    (tmp_path / "x.yaml").write_text("\n".join(lines))
    unwanted = "sympy", "sklearn", "matplotlib", "determined"
    unwanted += "torch.distributed.tensor", "torch._inductor", "torch._refs"
    code = (
        "import sys; from model_def.cli import main; code = main(); from model_def.peak_memory import peak_memory; "
        f"print(code, {{*{unwanted}}} & {{*sys.modules}}, peak_memory() < 600 * 2**20)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "check", "x.yaml"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert "218 M parameters" in done.stdout
    assert "3.26 GiB: parameters 833 MiB, gradients 833 MiB, optimizer state 1.63 GiB, buffers 3.8 MiB" in done.stdout
    assert done.stdout.splitlines()[-1] == "2 set() True", done.stdout + done.stderr
    assert os.listdir(tmp_path) == ["x.yaml"]
