"""What a training leaves to be watched: metrics by name, TensorBoard's files, system metrics, a trace. Watching changes
no number.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pathlib
import re
import signal

import pytest
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.cluster.fixtures import Cluster, cluster, uploaded
from tests.support import trainings
from tests.support.commands import REPO, metrics, yaml_writer
from tests.support.trainings import Stop

__all__ = ["cluster", "uploaded"]  # fixtures

IMAGES = 6


@pytest.fixture(scope="module")
def small(retinanet, tmp_path_factory) -> pathlib.Path:
    """A RetinaNet in small: 18 batches, 3 validations, with everything that can be watched."""
    write, config = yaml_writer(tmp_path_factory.mktemp("small")), yaml.safe_load(retinanet.read_text())
    config["hyperparameters"] |= {"pictures": IMAGES, "profile_batches": [3, 4]}
    return write(config | {"profiling": {"enabled": True}}, "watched.yaml")


@pytest.fixture(scope="module")
def watched(small, shapes_context, tmp_path_factory) -> pathlib.Path:
    output = tmp_path_factory.mktemp("watched") / "output"
    trainings.run(small, output, cwd=shapes_context)
    return output


@pytest.fixture(scope="module")
def events(watched) -> EventAccumulator:
    return read(watched / "tensorboard")


def read(folder: pathlib.Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0}).Reload()


def lines(output: pathlib.Path, group: str) -> list[dict]:
    every = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return [line for line in every if line["group"] == group]


def in_docs(group: str) -> set[str]:
    """The names that a table of docs/watching.md has."""
    text = (REPO / "docs/watching.md").read_text().partition(f"### `{group}`")[2].partition("\n#")[0]
    return set(re.findall(r"^\| `([^`]+)`", text, flags=re.MULTILINE))


def test_the_names_are_those_of_the_docs(watched):
    for group in ("training", "validation"):
        for line in lines(watched, group):
            assert line["metrics"].keys() >= in_docs(group), group
    losses = {"loss_cls", "loss_bbox"}
    for line in lines(watched, "training"):
        assert line["metrics"].keys() == in_docs("training") | losses


def test_ap_of_each_class_is_a_group_of_its_own(watched):
    validations = lines(watched, "validation")
    classes = lines(watched, "per_class_AP")
    assert [line["steps_completed"] for line in classes] == [6, 12, 18]
    for line, validation in zip(classes, validations, strict=True):
        assert line["metrics"].keys() == {"bbox_rectangle", "bbox_ellipse"}
        mean = sum(line["metrics"].values()) / 2
        assert mean == pytest.approx(validation["metrics"]["bbox_mAP"], rel=1e-9)


def test_tensorboard_has_scalars_and_ap_of_each_class(events):
    tags = {*events.Tags()["scalars"]}
    assert tags >= {f"Determined/{name}" for name in ("loss", "loss_cls", "lr", "grad_norm", "val_bbox_mAP", "memory")}
    assert [event.step for event in events.Scalars("Determined/lr")] == list(range(1, 19))
    assert [event.step for event in events.Scalars("per_class_AP/bbox_ellipse")] == [6, 12, 18]


def test_tensorboard_has_pictures_over_time(events, shapes_context):
    names = {path.name for path in (shapes_context / "data/shapes/val").iterdir()}
    expected = {f"validation/{name}" for name in names} | {"precision_recall/bbox", "confusion/bbox"}
    assert {*events.Tags()["images"]} == expected
    for tag in expected:
        found = events.Images(tag)
        assert [event.step for event in found] == [6, 12, 18]
        assert all(Image.open(io.BytesIO(event.encoded_image_string)).width == event.width for event in found)


def test_system_metrics_are_determineds(watched):
    found = [json.loads(line) for line in (watched / "system.jsonl").read_text().splitlines()]
    assert {line["group"] for line in found} >= {"cpu", "memory", "network", "disk"}
    assert all(line["metrics"]["memory_free"] > 0 for line in found if line["group"] == "memory")
    assert "memory/memory_free" in read(watched / "tensorboard" / "system").Tags()["scalars"]


def test_a_trace_of_the_chosen_batches(watched):
    [path] = (watched / "tensorboard").glob("*.pt.trace.json.gz")
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    steps = {event["name"] for event in events if str(event.get("name")).startswith("ProfilerStep")}
    assert len(steps) == 2
    assert any("conv" in str(event.get("name")) for event in events)


def test_watching_changes_no_number(watched, small, shapes_context, tmp_path):
    plain = [
        "hyperparameters.pictures=0", "hyperparameters.profile_batches=null", "profiling.enabled=false",
    ]  # fmt: skip
    trainings.run(small, tmp_path / "plain", *plain, cwd=shapes_context)
    assert metrics(tmp_path / "plain/metrics.jsonl") == metrics(watched / "metrics.jsonl")
    assert read(tmp_path / "plain/tensorboard").Tags()["images"] == []


def test_a_resumed_run_shows_each_step_once(small, watched, shapes_context, tmp_path):
    """Killed behind its checkpoint of batch 6: what it has shown of batches 7 to 10 is measured again."""
    killed = Stop(batch=11, number=signal.SIGKILL)
    trainings.run(small, tmp_path / "again", cwd=shapes_context, stop=killed, code=-signal.SIGKILL)
    before = read(tmp_path / "again/tensorboard")
    assert [event.step for event in before.Scalars("Determined/loss")] == [*range(1, 11)]
    trainings.run(small, tmp_path / "again", cwd=shapes_context, resume=True)
    after, whole = read(tmp_path / "again/tensorboard"), read(watched / "tensorboard")
    for tag in ("Determined/loss", "Determined/val_bbox_mAP", "per_class_AP/bbox_ellipse"):
        shown = [[(event.step, event.value) for event in events.Scalars(tag)] for events in (after, whole)]
        assert shown[0] == shown[1], tag
    assert [event.step for event in after.Images("confusion/bbox")] == [6, 12, 18]
    assert metrics(tmp_path / "again/metrics.jsonl") == metrics(watched / "metrics.jsonl")


def test_two_processes_show_the_images_of_both(small, shapes_context, tmp_path):
    trainings.run(small, tmp_path / "two", "train_cfg.max_epochs=1", "schedule=keep", cwd=shapes_context, processes=2)
    events = read(tmp_path / "two/tensorboard")
    assert len([tag for tag in events.Tags()["images"] if tag.startswith("validation/")]) == IMAGES
    assert [line["steps_completed"] for line in lines(tmp_path / "two", "per_class_AP")] == [6]


@pytest.mark.skipif(os.environ.get("CLUSTER") != "all", reason="half a minute: CLUSTER=all runs it (make soak)")
def test_on_a_cluster_it_is_all_there_too(cluster: Cluster, uploaded, small, shapes_context):
    config = yaml.safe_load(small.read_text())
    config["hyperparameters"]["schedule"] = "keep"
    config["hyperparameters"]["override_mmdet_config"]["train_cfg"] = {"max_epochs": 20}  # the profiler tells each 10 s
    mount = {"host_path": str(shapes_context / "data"), "container_path": "data"}
    experiment = cluster.ended(cluster.create(config | {"bind_mounts": [mount]}, uploaded))
    [trial], steps = experiment.trials, [*range(6, 121, 6)]
    assert [report.steps_completed for report in trial.of("per_class_AP")] == steps
    assert in_docs("training") <= {*trial.of("training")[-1].values}
    assert {report.group for report in trial.metrics} >= {"cpu", "memory", "disk", "network"}
    written = [path for path in cluster.master.storage.rglob("*") if "tensorboard" in path.parts]
    assert any(path.name.endswith(".pt.trace.json.gz") for path in written)
    [folder] = {path.parent for path in written if "tfevents" in path.name}
    assert [event.step for event in read(folder).Images("precision_recall/bbox")] == steps
