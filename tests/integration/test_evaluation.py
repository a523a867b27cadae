"""Evaluation by 1, 2 and 3 real processes over 7 images gives the same digits."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import sys

import pytest

from tests.support import evaluating
from tests.support.commands import REPO, run

SCRIPT = str(REPO / "tests/support/evaluating.py")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What each process of each evaluation has reported, as `<processes>/<rank>/reported.json`."""
    folder = tmp_path_factory.mktemp("evaluation")
    evaluating.write_truth(folder)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    run(sys.executable, SCRIPT, str(folder), cwd=folder)
    run(*launcher, "--nproc-per-node=2", SCRIPT, str(folder), cwd=folder)
    run(*launcher, "--nproc-per-node=3", SCRIPT, str(folder), "uneven", cwd=folder)
    return folder / "out"


def reported(out: pathlib.Path) -> dict[str, dict[str, float]]:
    return json.loads((out / "1/0/reported.json").read_text())


def test_any_number_of_processes_reports_the_same_digits(out):
    """Shares of 4 + 4 with one image twice, and of 3 + 2 + 2."""
    alone = (out / "1/0/reported.json").read_text()
    assert {str(path.parent.relative_to(out)) for path in out.rglob("reported.json") if path.read_text() == alone} == {
        "1/0", "2/0", "2/1", "3/0", "3/1", "3/2",
    }  # fmt: skip


def test_each_image_is_counted_once(out):
    assert reported(out)["all"]["samples"] == reported(out)["all"]["frames"] == evaluating.IMAGES


def test_metrics_are_unrounded(out):
    names = ["bbox_mAP", "segm_mAP", "circle_precision", "AR@100", "bbox_AP", "segm_AP", "AP50"]
    names += ["PQ"] if importlib.util.find_spec("panopticapi") else []
    for name in names:
        value = reported(out)["all"][name]
        assert value != round(value, 4), name
        assert value > 0.3


def test_the_least_sure_detections_count(out):
    """No threshold between the model and the metrics: the order of the scores is all that matters."""
    assert str(reported(out)["unsure"]) == str(reported(out)["all"])


def test_nothing_detected_is_0(out):
    """Of each metric that there is when something is detected."""
    metrics = reported(out)["nothing"]
    assert metrics.pop("samples") == metrics.pop("frames") == evaluating.IMAGES
    assert metrics == dict.fromkeys(reported(out)["all"].keys() - {"samples", "frames"}, 0.0)


def test_panoptic_is_among_them(out):
    pytest.importorskip("panopticapi", reason="CocoPanopticMetric needs it")
    assert "PQ" in reported(out)["all"]
