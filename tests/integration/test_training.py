"""Training through the command that a user types: what it leaves, stopping, going on, two processes."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.integration.test_parity import small_experiment
from tests.support.commands import ENVIRONMENT, metrics, model_def, torchrun, torchrun_command, yaml_writer

# It draws from torch's random numbers at every step, and each process draws another amount.
FASTER_RCNN = "faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"


@pytest.fixture(scope="module")
def context(shapes_context):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shapes_context)
        yield shapes_context


@pytest.fixture(scope="module")
def experiment(context, tmp_path_factory) -> pathlib.Path:
    """A Faster R-CNN in small: 18 batches in three epochs."""
    return small_experiment(FASTER_RCNN, yaml_writer(tmp_path_factory.mktemp("experiment")))


@pytest.fixture(scope="module")
def finished(experiment, context, tmp_path_factory) -> pathlib.Path:
    """The output directory of a run that was never stopped."""
    output = tmp_path_factory.mktemp("finished") / "output"
    model_def("train", str(experiment), "--output", str(output), cwd=context)
    return output


def weights(output: pathlib.Path, name: str = "latest") -> dict[str, torch.Tensor]:
    """The weights of a checkpoint, read as an untrusted file is read."""
    return torch.load(output / "checkpoints" / name / "model.pth", weights_only=True)["state_dict"]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_output_directory(finished, context):
    names = {path.name for path in finished.iterdir()}
    assert names == {
        "experiment.yaml", "config.py", "metrics.jsonl", "tensorboard", "checkpoints", "pictures", "mmengine",
    }  # fmt: skip
    best = (finished / "checkpoints/best").resolve()
    assert {path.name for path in best.iterdir()} >= {"model.pth", "state_dict.pth", "metadata.json", "code"}
    assert {path.name for path in (best / "code").iterdir()} == {"experiment.yaml", "config.py"}
    assert os.listdir(context) == ["data"], "nothing is written elsewhere"


def test_a_checkpoint_says_what_it_is(finished):
    """Determined's own part, ours, and the last validation before it."""
    best = finished / "checkpoints/best"
    said = json.loads((best / "metadata.json").read_text())
    assert said["steps_completed"] == int(best.resolve().name)
    assert said["config_sha256"] == hashlib.sha256((finished / "config.py").read_bytes()).hexdigest()
    assert said["classes"] == ["rectangle", "ellipse"]
    assert [entry["loader"] for entry in said["data"]] == ["train_dataloader", "val_dataloader"]
    lines = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    [line] = [x for x in lines if x["group"] == "validation" and x["steps_completed"] == said["steps_completed"]]
    assert said["validation"] == {key: line[key] for key in ("steps_completed", "metrics")}


def test_every_line_of_the_metrics(finished):
    lines = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert all(line.keys() == {"group", "steps_completed", "epoch", "metrics"} for line in lines)
    training = [line for line in lines if line["group"] == "training"]
    assert [line["steps_completed"] for line in training] == list(range(1, 19))
    expected = {"loss", "loss_cls", "loss_bbox", "lr", "grad_norm", "data_time", "iter_time", "samples_per_second"}
    assert training[0]["metrics"].keys() >= expected


def test_our_whole_checkpoint_loads_without_running_code(finished):
    torch.load(finished / "checkpoints/latest/state_dict.pth", weights_only=True)


def test_mmdet_loads_the_model(finished, context):
    from mmdet.apis import inference_detector, init_detector

    best = finished / "checkpoints/best"
    model = init_detector(str(finished / "config.py"), str(best / "model.pth"), device="cpu")
    assert model.dataset_meta["classes"] == ("rectangle", "ellipse")
    image = next((context / "data/shapes/val").iterdir())
    assert len(inference_detector(model, str(image)).pred_instances) > 0


@pytest.mark.parametrize(("batch", "number", "code"), [(8, signal.SIGTERM, 143), (12, signal.SIGINT, 130)])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(batch, number, code, experiment, context, finished, tmp_path):
    """In the middle of an epoch, and at its end."""
    output = tmp_path / "output"
    command = [sys.executable, "-m", "model_def", "train", str(experiment), "--output", str(output)]
    process = subprocess.Popen(command, cwd=context, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    wait_for_batch(output / "metrics.jsonl", batch, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    assert f"--resume {output}" in errors
    stopped_at = int((output / "checkpoints/latest").resolve().name)
    assert batch <= stopped_at <= batch + 2, "a stop is answered after the running batch"
    model_def("train", str(experiment), "--resume", str(output), cwd=context)
    assert metrics(output / "metrics.jsonl") == metrics(finished / "metrics.jsonl")
    assert same(weights(output), weights(finished))


def wait_for_batch(path: pathlib.Path, batch: int, process: subprocess.Popen[str]) -> None:
    """Wait until that many batches were reported."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists() and path.read_text().count('"training"') >= batch:
            return
        time.sleep(0.01)
    pytest.fail("the run ended before it could be stopped")


def test_averaged_weights_and_a_switched_pipeline_go_on(context, tmp_path, write_yaml):
    """YOLOX in the epoch in which mosaic has ended: EMA, the L1 loss and the new pipeline are still there."""
    experiment = small_experiment("yolox/yolox_tiny_8xb8-300e_coco.py", write_yaml)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    model_def("train", str(experiment), "--output", str(whole), cwd=context)
    command = [sys.executable, "-m", "model_def", "train", str(experiment), "--output", str(stopped)]
    process = subprocess.Popen(command, cwd=context, env=ENVIRONMENT, stderr=subprocess.DEVNULL, text=True)
    wait_for_batch(stopped / "metrics.jsonl", 13, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 143
    model_def("train", str(experiment), "--resume", str(stopped), cwd=context)
    assert metrics(stopped / "metrics.jsonl") == metrics(whole / "metrics.jsonl")
    assert same(weights(stopped), weights(whole))


def test_a_validation_within_an_epoch_changes_nothing(context, tmp_path, write_yaml):
    """`min_validation_period` validates more often than the config's loop would: the model trains on as before."""
    experiment = small_experiment("retinanet/retinanet_r18_fpn_1x_coco.py", write_yaml)
    one_epoch = ["train_cfg.max_epochs=1", "schedule=keep"]
    often = ["min_validation_period.batches=4", *one_epoch]
    model_def("train", str(experiment), *one_epoch, "--output", str(tmp_path / "plain"), cwd=context)
    model_def("train", str(experiment), *often, "--output", str(tmp_path / "often"), cwd=context)
    plain, more = metrics(tmp_path / "plain/metrics.jsonl"), metrics(tmp_path / "often/metrics.jsonl")
    assert [line["steps_completed"] for line in more if line["group"] == "validation"] == [4, 6]
    assert [line for line in more if line not in plain] == [line for line in more if line["steps_completed"] == 4][1:]


def test_two_processes(experiment, context, tmp_path):
    """One of them speaks and writes; a stop reaches both; batch statistics, each process's own, go on as they were."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    done = torchrun(2, "train", str(experiment), "--output", str(whole), cwd=context)
    assert done.stdout.count("  optimizer  ") == 1
    lines = metrics(whole / "metrics.jsonl")
    assert [line["steps_completed"] for line in lines if line["group"] == "training"] == list(range(1, 19))
    assert [line["steps_completed"] for line in lines if line["group"] == "validation"] == [6, 12, 18]

    command = [*torchrun_command(2), "train", str(experiment), "--output", str(stopped)]
    process = subprocess.Popen(command, cwd=context, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    wait_for_batch(stopped / "metrics.jsonl", 8, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) != 0
    torchrun(2, "train", str(experiment), "--resume", str(stopped), cwd=context)
    assert metrics(stopped / "metrics.jsonl") == lines
    assert same(weights(stopped), weights(whole))

    assert os.listdir(context) == ["data"], "results are gathered without a directory that all processes share"
    refused = model_def("train", str(experiment), "--resume", str(whole), cwd=context, code=2)
    assert "another number of processes" in refused.stderr


def test_a_checkpoint_of_another_model_is_refused(experiment, context, finished, tmp_path):
    checkpoint = finished / "checkpoints/latest"
    other = ["model.roi_head.bbox_head.fc_out_channels=16"]
    done = model_def(
        "train", str(experiment), *other, "--resume", str(checkpoint.resolve()), "--output", str(tmp_path / "new"),
        cwd=context, code=2,
    )  # fmt: skip
    assert "another model" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_loss_that_is_not_finite_names_the_images(experiment, context, tmp_path):
    done = model_def(
        "train", str(experiment), "optim_wrapper.optimizer.lr=1e20", "optim_wrapper.clip_grad=null",
        "--output", str(tmp_path / "output"), cwd=context, code=1,
    )  # fmt: skip
    assert "not finite at iteration" in done.stderr
    assert "data/shapes/train/" in done.stderr
    assert "Traceback" not in done.stderr
