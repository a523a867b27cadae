"""The Hydra example composes the YAML that one would write by hand. Without Hydra it says how to get it."""

from __future__ import annotations

import os
import pathlib
import stat
import sys

import pytest
import yaml

from model_def.experiment import load_experiment
from tests.support.commands import REPO, run

SCRIPT = REPO / "examples/hydra/experiment.py"
CONF = REPO / "examples/hydra/conf"
CHOICES = sorted(f"{path.parent.name}={path.stem}" for path in CONF.glob("*/*.yaml"))

BY_HAND = """
name: small_retinanet_2x_birds
entrypoint: python3 -m determined.launch.torch_distributed python3 -m model_def.train

hyperparameters:
  config_file: retinanet/retinanet_r18_fpn_1x_coco.py
  global_batch_size: 8
  override_mmdet_config:
    optim_wrapper.optimizer.lr: 0.0025
  merge_config: [merge_configs/schedule/2x.py]
  use_pretrained: true
  dataset:
    root: data/birds
    train: {ann_file: train.json, img_prefix: train/}
    val: {ann_file: val.json, img_prefix: val/}

searcher:
  name: single
  metric: bbox_mAP
  smaller_is_better: false

resources:
  slots_per_trial: 1
reproducibility:
  experiment_seed: 0
max_restarts: 1
"""
CHOSEN = ["model=small_retinanet", "schedule=2x", "data=birds", "experiment.hyperparameters.global_batch_size=8"]


def test_without_hydra_it_says_how_to_get_it(tmp_path):
    program = f"import runpy, sys; sys.modules['hydra'] = None; runpy.run_path({str(SCRIPT)!r})"
    done = run(sys.executable, "-c", program, cwd=tmp_path, code=2)
    wanted = next(line for line in (REPO / "pyproject.toml").read_text().splitlines() if line.startswith("hydra ="))
    assert done.stderr.strip().endswith(f"python -m pip install {wanted.split(chr(34))[1]}")


def test_it_composes_what_one_would_write_by_hand(tmp_path):
    pytest.importorskip("hydra")
    done = run(sys.executable, str(SCRIPT), *CHOSEN, cwd=tmp_path)
    assert yaml.safe_load(done.stdout) == yaml.safe_load(BY_HAND)
    assert list(yaml.safe_load(done.stdout)) == list(yaml.safe_load(BY_HAND))
    (written,) = tmp_path.glob("output/hydra/*/experiment.yaml")
    assert written.read_text() == done.stdout


@pytest.mark.parametrize("choice", CHOICES)
def test_any_choice_of_the_groups_is_an_experiment(choice, tmp_path, validator):
    hydra = pytest.importorskip("hydra")
    from omegaconf import OmegaConf

    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        composed = hydra.compose("config", overrides=[choice, "experiment.name=any"])
    config = OmegaConf.to_container(composed.experiment, resolve=True)
    assert validator.problems(config) == []
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(config))
    searched = ["optim_wrapper.optimizer.lr=0.1"] if choice == "searcher=learning_rate" else []
    assert load_experiment(tmp_path / "experiment.yaml", searched).name == "any"


def test_it_submits(tmp_path):
    """To a `det` that writes down how it was called: there is no cluster here."""
    pytest.importorskip("hydra")
    det = tmp_path / "bin/det"
    det.parent.mkdir()
    det.write_text('#!/bin/sh\necho "$@" > called; cp "$3" copy.yaml; exit 7\n')
    det.chmod(det.stat().st_mode | stat.S_IEXEC)
    path = f"{det.parent}{os.pathsep}{os.environ['PATH']}"
    run(sys.executable, str(SCRIPT), *CHOSEN, "action=submit", cwd=tmp_path, PATH=path, code=7)
    words = (tmp_path / "called").read_text().split()
    assert [*words[:2], pathlib.Path(words[2]).name, *words[3:]] == ["experiment", "create", "experiment.yaml", "."]
    assert yaml.safe_load((tmp_path / "copy.yaml").read_text()) == yaml.safe_load(BY_HAND)


def test_it_trains(tmp_path):
    """As far as to the mistake that this directory has no data."""
    pytest.importorskip("hydra")
    (tmp_path / "merge_configs").symlink_to(REPO / "merge_configs")
    done = run(sys.executable, str(SCRIPT), *CHOSEN, "action=train", cwd=tmp_path, code=2)
    assert "data/birds/train.json" in done.stderr
