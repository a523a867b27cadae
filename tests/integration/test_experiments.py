"""Every shipped experiment: valid for the platform, composed, built, trained for a few batches on made data."""

from __future__ import annotations

import pathlib
import re
import shlex
from typing import Any

import pytest
import torch
import yaml
from mmengine.fileio import get_file_backend

from model_def import cli
from model_def.compose import compose
from model_def.errors import ConfigError
from model_def.experiment import experiment_from, load_experiment
from model_def.experiment_types import Experiment
from model_def.storage.register import register
from tests.support import trainings
from tests.support.commands import REPO, metrics
from tests.support.expected_data import expected_data
from tests.support.samples import assignments, samples
from tests.support.tiny import tiny

EXPERIMENTS = sorted(path.relative_to(REPO) for path in (REPO / "experiments").rglob("*.yaml"))
SEARCHES = [path for path in EXPERIMENTS if "searches" in path.parts]
LAYERS = sorted(str(path.relative_to(REPO)) for path in (REPO / "merge_configs").rglob("*.py"))
BATCH = 2
NO_GPU = "mixed precision needs a GPU, and this machine has none"


def content(path: pathlib.Path) -> dict[str, Any]:
    return yaml.safe_load((REPO / path).read_text())


@pytest.mark.parametrize("path", EXPERIMENTS, ids=str)
def test_the_platform_accepts_it(path, validator):
    assert validator.problems(content(path)) == []


@pytest.mark.parametrize("path", EXPERIMENTS, ids=str)
def test_it_begins_with_what_it_trains_and_the_commands(path):
    header = "\n".join(line for line in (REPO / path).read_text().splitlines() if line.startswith("#"))
    assert re.match(r"# \w.*[.:]", header)
    assert f"python -m model_def train {path}" in header or path.name == "quickstart.yaml"
    assert f"det experiment create {path} ." in header


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> pathlib.Path:
    """A context with made data at the places where the experiments expect theirs."""
    context = tmp_path_factory.mktemp("context")
    expected_data(context, tmp_path_factory.mktemp("store"))
    return context


@pytest.fixture(scope="module")
def buckets(context, s3, gcs, s3_buckets, gcs_buckets) -> dict[str, str]:
    """`my-bucket` of both kinds, with COCO's made data; returns the environment that leads to them."""
    environment = {**s3.environment, **gcs.environment, "XDG_CACHE_HOME": str(context / "cache")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        register()
        for bucket in (s3_buckets("my-bucket"), gcs_buckets("my-bucket")):
            get_file_backend(str(bucket)).copytree_from_local(context / "data/coco", f"{bucket}coco")
    return environment


@pytest.mark.parametrize("path", EXPERIMENTS, ids=str)
def test_it_trains(path, context, tmp_path, monkeypatch, request):
    if "panoptic" in path.name:
        pytest.importorskip("panopticapi")
    monkeypatch.chdir(context)
    environment = request.getfixturevalue("buckets") if "cloud" in path.parts else {}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    fixed = [*_told(path), "use_pretrained=false", f"global_batch_size={BATCH}"]
    config = compose(load_experiment(path, fixed), slots=1).config.to_dict()
    output = tmp_path / "output"
    trainings.run(path, output, *fixed, *_short(config), *tiny(config), cwd=context, environment=environment)
    lines = metrics(output / "metrics.jsonl")
    assert [line["steps_completed"] for line in lines if line["group"] == "training"][:2] == [1, 2]
    assert content(path)["searcher"]["metric"] in lines[-1]["metrics"]
    assert (output / "checkpoints/best/model.pth").exists()


def _told(path: pathlib.Path) -> list[str]:
    """What the header adds to the command: a search needs values."""
    lines = (line.lstrip("# ") for line in (REPO / path).read_text().splitlines() if line.startswith("#"))
    commands = "\n".join(lines).replace("\\\n", " ").splitlines()
    command = next((each for each in commands if each.startswith(f"python -m model_def train {path}")), "")
    return shlex.split(command)[5:]


def _short(config: dict[str, Any]) -> list[str]:
    """An epoch, or two iterations; the schedule stays as it is."""
    ratio = (config["train_dataloader"].get("sampler") or {}).get("source_ratio")
    by_epoch = "max_epochs" in config["train_cfg"]
    plain = not {"dataset", "datasets"} & config["train_dataloader"]["dataset"].keys()
    length = {"train_cfg.max_epochs": 1} if by_epoch else {"train_cfg.max_iters": 2}
    changed = {**length, "train_cfg.val_interval": 1 if by_epoch else 2, "schedule": "keep", "scheduling_unit": 1}
    changed |= {"train_dataloader.sampler.source_ratio": [1] * BATCH} if ratio else {}
    changed |= {"train_dataloader.dataset.indices": 2 * BATCH} if plain else {}
    return [f"{key}={value}" for key, value in changed.items()]


@pytest.mark.parametrize("path", SEARCHES, ids=str)
def test_what_a_search_may_draw_composes(path, context, monkeypatch):
    """As on a cluster, whose master sends what it has drawn: all choices, and both ends of each range."""
    monkeypatch.chdir(context)
    config = content(path)
    drawn = [compose(_trial(config, sample), slots=8).config for sample in samples(config["hyperparameters"])]
    assert len({str(each) for each in drawn}) == len(drawn)
    assert len(drawn) >= 2 or config["searcher"]["name"] == "single"


def _trial(config: dict[str, Any], sample: dict[str, Any]) -> Experiment:
    return experiment_from({**config, "hyperparameters": sample}, sample)


@pytest.mark.parametrize("path", [path for path in SEARCHES if "single" not in path.name], ids=str)
def test_the_other_end_of_a_search_passes_the_check(path, context, monkeypatch, capsys):
    monkeypatch.chdir(context)
    hyperparameters = content(path)["hyperparameters"]
    last = assignments(hyperparameters, len(samples(hyperparameters)) - 1)
    code = cli.main(["check", str(path), *last, "resources.slots_per_trial=1"])
    assert code == 0, capsys.readouterr().out


def test_layers_train_together(context, tmp_path, monkeypatch):
    """Nearly all of `merge_configs/`, in one training."""
    monkeypatch.chdir(context)
    left_out = ("coco_below", "1x", "2x", "3x", "masks", "small_images", "freeze", "mixed_precision")
    layers = [path for path in LAYERS if not any(word in path for word in left_out)]
    path = pathlib.Path("experiments/retinanet/retinanet_r50_fpn_1x_coco.yaml")
    fixed = [f"merge_config={layers}", f"global_batch_size={BATCH}"]
    config = compose(load_experiment(path, fixed), slots=1).config.to_dict()
    trainings.run(path, tmp_path / "output", *fixed, *_short(config), *tiny(config), cwd=context)
    state = torch.load(tmp_path / "output/checkpoints/best/state_dict.pth", weights_only=True)
    assert "ema_state_dict" in state["callbacks"]["mmengine"]["runner"]
    assert metrics(tmp_path / "output/metrics.jsonl")[-1]["metrics"].keys() >= {"bbox_mAP"}


def test_searches_come_in_all_forms():
    found = {content(path)["searcher"]["name"] for path in SEARCHES}
    assert found == {"single", "random", "grid", "adaptive_asha"}


def test_what_the_default_has_commented_out_is_right(tmp_path, context, monkeypatch):
    """Mixed precision: on a machine without a GPU that it needs one is all there is to say."""
    monkeypatch.chdir(context)
    text = (REPO / "experiments/mask_rcnn/mask_rcnn_r50_fpn_1x_coco.yaml").read_text()
    changed, count = re.subn(r"^(    )# (\w+\.\w+: \w+)$", r"\1\2", text, flags=re.MULTILINE)
    assert count == 2
    (tmp_path / "experiment.yaml").write_text(changed)
    with pytest.raises(ConfigError) as caught:
        compose(load_experiment(tmp_path / "experiment.yaml"), slots=8)
    assert [problem.what for problem in caught.value.problems] == [NO_GPU]
