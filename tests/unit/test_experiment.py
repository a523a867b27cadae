"""An experiment YAML becomes typed values; the traps of YAML and of `key=value` are handled once."""

from __future__ import annotations

import dataclasses
import math
import pathlib

import pytest
import yaml

from model_def.errors import ExperimentError
from model_def.experiment import experiment_from, load_experiment
from model_def.experiment_types import Experiment, FileClientArgs, Length
from model_def.yaml_source import Loader

MINIMAL = """\
searcher: {name: single, metric: bbox_mAP}
hyperparameters:
  config_file: retinanet/retinanet_r18_fpn_1x_coco.py
  global_batch_size: 4
"""


def load(folder: pathlib.Path, text: str, *assignments: str) -> Experiment:
    path = folder / "trees.yaml"
    path.write_text(text)
    return load_experiment(path, assignments)


def test_defaults_are_determineds(tmp_path: pathlib.Path) -> None:
    experiment = load(tmp_path, MINIMAL)
    assert experiment.name == "trees"
    assert (experiment.scheduling_unit, experiment.checkpoint_policy, experiment.seed) == (100, "best", 0)
    assert (experiment.slots_per_trial, experiment.save_trial_best, experiment.save_trial_latest) == (1, 1, 1)
    assert experiment.searcher.smaller_is_better is True
    assert experiment.min_validation_period is None
    assert experiment.hyperparameters.use_pretrained is False
    assert experiment.directory == pathlib.Path.cwd()


def test_every_field_arrives(tmp_path: pathlib.Path) -> None:
    text = (
        MINIMAL.replace("bbox_mAP", "bbox_mAP_50, smaller_is_better: false")
        + """\
  merge_config: merge_configs/a.py
  use_pretrained: true
  dataset:
    root: data/x
    train: {ann_file: a.json, img_prefix: a/}
    val: {ann_file: b.json}
    classes: [cat, dog]
name: cats
scheduling_unit: 1
min_validation_period: {epochs: 2}
min_checkpoint_period: {batches: 50}
perform_initial_validation: true
checkpoint_policy: all
reproducibility: {experiment_seed: 7}
resources: {slots_per_trial: 2}
checkpoint_storage: {type: shared_fs, host_path: /x, save_trial_best: 3, save_trial_latest: 0}
"""
    )
    experiment = load(tmp_path, text)
    hyper = experiment.hyperparameters
    assert (hyper.merge_config, hyper.use_pretrained) == (("merge_configs/a.py",), True)
    assert hyper.dataset is not None
    assert (hyper.dataset.type, hyper.dataset.classes) == ("CocoDataset", ("cat", "dog"))
    assert (hyper.dataset.train.img_prefix, hyper.dataset.val.img_prefix, hyper.dataset.test) == ("a/", "", None)
    assert (experiment.name, experiment.scheduling_unit, experiment.seed) == ("cats", 1, 7)
    assert experiment.min_validation_period == Length(unit="epochs", value=2)
    assert experiment.min_checkpoint_period == Length(unit="batches", value=50)
    assert (experiment.perform_initial_validation, experiment.checkpoint_policy) == (True, "all")
    assert (experiment.slots_per_trial, experiment.save_trial_best, experiment.save_trial_latest) == (2, 3, 0)
    assert (experiment.searcher.metric, experiment.searcher.smaller_is_better) == ("bbox_mAP_50", False)
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 0.0001),
        ("1E5", 100000.0),
        ("+1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("2.5e-3", 0.0025),
        ("-.inf", -math.inf),
        ("1_000", 1000),
        ("0x1F", 31),
        ("017", 15),
        ("0o17", 15),
        ("-3", -3),
        ("off", False),
        ("yes", True),
        ("~", None),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        ("08", "08"),
        ("(96, 128)", "(96, 128)"),
        ("'1e-4'", "1e-4"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    found = yaml.load(text, Loader=Loader)
    assert found == value
    assert type(found) is type(value)


def test_places_are_of_the_key(tmp_path: pathlib.Path) -> None:
    experiment = load(
        tmp_path, MINIMAL + "  override_mmdet_config:\n    model.neck:\n      num_outs: 5\n    x: [1, 2]\n"
    )
    file = tmp_path / "trees.yaml"
    assert experiment.where("hyperparameters", "config_file") == f"{file}:3:3 (hyperparameters.config_file)"
    place = ("hyperparameters", "override_mmdet_config", "model", "neck", "num_outs")
    assert experiment.where(*place) == f"{file}:7:7 ({'.'.join(place)})"
    assert experiment.where(*place[:2], "x", 1).startswith(f"{file}:8:12")
    assert experiment.where(*place[:4], "unwritten").startswith(f"{file}:6:5")


def test_assignments_address_yaml_hyperparameters_and_overrides(tmp_path: pathlib.Path) -> None:
    experiment = load(
        tmp_path,
        MINIMAL + "labels: [a, b]\n",
        "name=new",
        "searcher.metric=bbox_mAP_75",
        "global_batch_size=8",
        "resources.slots_per_trial=2",
        "optim_wrapper.optimizer.lr=1e-3",
        "model={neck: {num_outs: 3}}",
        "labels.-1=c",
        "hyperparameters.use_pretrained=w.pth",
        "description=",
    )
    assert (experiment.name, experiment.searcher.metric, experiment.slots_per_trial) == ("new", "bbox_mAP_75", 2)
    assert experiment.hyperparameters.global_batch_size == 8
    overrides = {"optim_wrapper.optimizer.lr": 0.001, "model.neck.num_outs": 3}
    assert experiment.hyperparameters.override_mmdet_config == overrides
    assert experiment.raw["hyperparameters"]["override_mmdet_config"] == overrides
    assert (experiment.raw["labels"], experiment.raw["description"]) == (["a", "c"], "")
    assert experiment.where("hyperparameters", "global_batch_size") == "command line (global_batch_size=8)"
    place = ("hyperparameters", "override_mmdet_config", "model", "neck", "num_outs")
    assert experiment.where(*place) == "command line (model={neck: {num_outs: 3}})"


def test_assignment_replaces_the_yamls_override_however_it_was_nested(tmp_path: pathlib.Path) -> None:
    text = (
        MINIMAL
        + """\
  override_mmdet_config:
    model.neck: {num_outs: 5, out_channels: 64}
    model: {backbone: {depth: {type: int, minval: 18, maxval: 50}}}
    model.bbox_head.in_channels: 7
"""
    )
    overrides = load(
        tmp_path, text, "model.neck.num_outs=3", "model.backbone.depth=18", "model.bbox_head={in_channels: 9}"
    ).hyperparameters.override_mmdet_config
    assert overrides == {
        "model.neck": {"out_channels": 64},
        "model.neck.num_outs": 3,
        "model.backbone.depth": 18,
        "model.bbox_head.in_channels": 9,
    }


def test_const_is_unwrapped_anywhere(tmp_path: pathlib.Path) -> None:
    text = (
        MINIMAL.replace("size: 4", "size: {type: const, val: 4}")
        + """\
  override_mmdet_config:
    model: {neck: {type: const, val: {type: FPN, num_outs: {type: const, val: 2}}}}
    custom_hooks: [{type: EMAHook}]
"""
    )
    experiment = load(tmp_path, text)
    assert experiment.hyperparameters.global_batch_size == 4
    overrides = experiment.hyperparameters.override_mmdet_config
    assert overrides == {"model": {"neck": {"type": "FPN", "num_outs": 2}}, "custom_hooks": [{"type": "EMAHook"}]}
    assert experiment.notes == ()


def test_a_type_that_a_master_would_refuse_is_noted(tmp_path: pathlib.Path) -> None:
    experiment = load(tmp_path, MINIMAL + "  override_mmdet_config:\n    model.neck: {type: PAFPN}\n")
    assert len(experiment.notes) == 1
    assert "trees.yaml:6:5" in experiment.notes[0]
    assert "type: const" in experiment.notes[0]


def test_old_forms_are_accepted_and_noted(tmp_path: pathlib.Path) -> None:
    text = (
        MINIMAL.replace("bbox_mAP}", "bbox_mAP, max_length: {epochs: 3}}")
        + """\
entrypoint: model_def:MMDetTrial
data: {file_client_args: {backend: disk}, anything: 1}
records_per_epoch: 1000
data_layer: {type: shared_fs}
optimizations: {aggregation_frequency: 1}
"""
    )
    experiment = load(tmp_path, text)
    assert experiment.searcher.max_length == Length(unit="epochs", value=3)
    assert experiment.hyperparameters.file_client_args == FileClientArgs(backend="disk")
    assert "python3 -m model_def.train" in experiment.notes[0]
    said = "\n".join(experiment.notes[1:])
    for note in ("records_per_epoch is not", "data_layer is not", "data.anything is not", "hyperparameters.file_"):
        assert note in said


def test_on_a_cluster_the_sampled_values_count() -> None:
    config = {
        "name": "x",
        "searcher": {"name": "random", "metric": "bbox_mAP", "max_trials": 3},
        "hyperparameters": {"global_batch_size": {"type": "log", "base": 2, "minval": 1, "maxval": 3}},
        "resources": {"slots_per_trial": 2, "something_new": 1},
        "min_validation_period": None,
    }
    sampled = {"config_file": "a.py", "global_batch_size": 8.0, "override_mmdet_config": {"a": {"b": [1, {"c": 2}]}}}
    experiment = experiment_from(config, sampled)
    assert experiment.hyperparameters.global_batch_size == 8
    assert experiment.hyperparameters.override_mmdet_config == {"a": {"b": [1, {"c": 2}]}}
    assert experiment.slots_per_trial == 2
    assert "global_batch_size" in experiment.where("hyperparameters", "global_batch_size")
    assert config["hyperparameters"]["global_batch_size"]["type"] == "log"  # type: ignore[index]


def test_on_a_cluster_our_own_keys_are_checked() -> None:
    config = {"searcher": {"name": "single", "metric": "bbox_mAP"}}
    with pytest.raises(ExperimentError, match="confg_file") as caught:
        experiment_from(config, {"confg_file": "a.py", "global_batch_size": 8.5})
    assert len(caught.value.problems) == 2  # unknown (which is the one that is missing) and wrong


def test_anchors_and_merge_keys_are_yaml_too(tmp_path: pathlib.Path) -> None:
    text = (
        MINIMAL
        + """\
  dataset:
    train: &split {ann_file: a.json, img_prefix: i/}
    val: {<<: *split, ann_file: b.json}
"""
    )
    dataset = load(tmp_path, text).hyperparameters.dataset
    assert dataset is not None
    assert (dataset.val.ann_file, dataset.val.img_prefix) == ("b.json", "i/")


def test_a_search_with_a_mistake_is_one_for_its_draws_too(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(MINIMAL.replace("global_batch_size: 4", "global_batch_size: {type: int, minval: 8, maxval: 2}"))
    for sample in (None, 0):
        with pytest.raises(ExperimentError, match="has nothing to choose from") as caught:
            load_experiment(path, sample=sample)
        assert len(caught.value.problems) == 1
