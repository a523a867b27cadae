"""A changed length: what was written for the old one is named, moved in proportion, or kept, as the experiment says."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from mmengine.config import Config

from model_def.compose import Composed, compose
from model_def.compose.moments import Kind, Moment
from model_def.compose.origin import history
from model_def.compose.rescale import Scale
from model_def.errors import ConfigError
from model_def.experiment import experiment_from, load_experiment
from model_def.rewrite import rewrite

RETINANET = "retinanet/retinanet_r18_fpn_1x_coco.py"
YOLOX = "yolox/yolox_tiny_8xb8-300e_coco.py"
RTMDET = "rtmdet/rtmdet_tiny_8xb32-300e_coco.py"
MASK2FORMER = "mask2former/mask2former_r50_8xb2-lsj-50e_coco.py"  # counts iterations
BY_ITERATIONS = {"train_cfg": {"_delete_": True, "type": "IterBasedTrainLoop", "max_iters": 900}}
WARM_UP = {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "begin": 0, "end": 500}


def composed(config_file: str, length: dict[str, Any], **hyper: Any) -> Composed:
    searcher = {"name": "single", "metric": "bbox_mAP", **hyper.pop("searcher", {})}
    values = {"config_file": config_file, "global_batch_size": 16, "override_mmdet_config": length, **hyper}
    return compose(experiment_from({"name": "x", "searcher": searcher}, values), slots=1)


def refused(config_file: str, length: dict[str, Any], **hyper: Any) -> Any:
    with pytest.raises(ConfigError) as caught:
        composed(config_file, length, **hyper)
    (problem,) = caught.value.problems
    return problem


def scheduled(config: Config, *keys: str) -> list[Any]:
    return [[scheduler.get(key) for key in keys] for scheduler in config.param_scheduler]


# --- an error only where something is out of step

STALE: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "steps and their end": (
        RETINANET,
        {"train_cfg.max_epochs": 24},
        ("train_cfg.max_epochs = 24", "param_scheduler.1.end = 12", "param_scheduler.1.milestones = [8, 11]"),
    ),
    "an end that cuts the new steps off": (
        RETINANET,
        {"train_cfg.max_epochs": 24, "param_scheduler.1.milestones": [16, 22]},
        ("train_cfg.max_epochs = 24", "param_scheduler.1.end = 12"),
    ),
    "steps that never come": (
        RETINANET,
        {"train_cfg.max_epochs": 6},
        ("train_cfg.max_epochs = 6", "param_scheduler.1.milestones = [8, 11]"),
    ),
    "a cosine, a switch and validations": (
        RTMDET,
        {"train_cfg.max_epochs": 100},
        (
            "train_cfg.max_epochs = 100",
            "param_scheduler.1.begin = 150",
            "param_scheduler.1.T_max = 150",
            "train_cfg.dynamic_intervals = [(280, 1)]",
            "custom_hooks.1.switch_epoch = 280",
        ),
    ),
    "mosaic until the end": (
        YOLOX,
        {"train_cfg.max_epochs": 15, "param_scheduler": [WARM_UP]},
        ("train_cfg.max_epochs = 15", "custom_hooks.0.num_last_epochs = 15"),
    ),
    "a warm-up that fills the training": (
        YOLOX,
        {"train_cfg.max_epochs": 4, "param_scheduler.1": {"begin": 1, "end": 4, "T_max": 3}, "custom_hooks": None}
        | {"param_scheduler.2": {"begin": 4, "end": 5}},
        ("train_cfg.max_epochs = 4", "param_scheduler.0.end = 5"),
    ),
    "iterations": (
        MASK2FORMER,
        {"train_cfg.max_iters": 1000},
        (
            "train_cfg.max_iters = 1000",
            "param_scheduler.milestones = [327778, 355092]",
            "train_cfg.dynamic_intervals = [(365001, 368750)]",
        ),
    ),
    "validations that never begin": (
        RETINANET,
        {"train_cfg": {"max_epochs": 6}, "param_scheduler": None},
        ("train_cfg.max_epochs = 6", "train_cfg.val_begin = 9"),
    ),
    "a loop of the other kind": (
        RETINANET,
        BY_ITERATIONS,
        ("train_cfg.max_iters = 900", "param_scheduler.1.end = 12", "param_scheduler.1.milestones = [8, 11]"),
    ),
}


@pytest.mark.parametrize("name", STALE)
def test_each_value_is_named_with_its_place(name: str, tmp_path: pathlib.Path) -> None:
    config_file, length, keys = STALE[name]
    (tmp_path / "late.py").write_text("train_cfg = dict(val_begin=9)\n")
    merge = {"merge_config": str(tmp_path / "late.py")} if "begin" in name else {}
    problem = refused(config_file, length, **merge)
    places = problem.where.splitlines()
    assert tuple(line.strip().rpartition(" (")[0] for line in places) == keys
    assert all(".py:" in line for line in places[1:])
    assert "schedule=keep" in problem.next
    assert ("schedule=rescale" in problem.next) == (length != BY_ITERATIONS)


FITTING: dict[str, tuple[str, dict[str, Any]]] = {
    "the length that it had": (RETINANET, {"train_cfg.max_epochs": 12}),
    "steps of one's own, and an end that is late enough": (
        RETINANET,
        {"train_cfg.max_epochs": 6, "param_scheduler.-1.milestones": [4, 5]},
    ),
    "the same steps, meant": (
        RETINANET,
        {"train_cfg.max_epochs": 24, "param_scheduler.1": {"milestones": [8, 11], "end": 24}},
    ),
    "no schedule": (RETINANET, {"train_cfg.max_epochs": 24, "param_scheduler": None}),
    "a warm-up only": (RETINANET, {"train_cfg.max_epochs": 24, "param_scheduler": [WARM_UP]}),
    "a constant rate without end": (
        RETINANET,
        {"train_cfg.max_epochs": 24, "param_scheduler": [{"type": "ConstantLR", "factor": 1.0}]},
    ),
    "another loop, with all that goes with it": (RETINANET, {**BY_ITERATIONS, "param_scheduler": [WARM_UP]}),
}


@pytest.mark.parametrize("name", FITTING)
def test_what_fits_is_left_alone(name: str) -> None:
    assert composed(FITTING[name][0], FITTING[name][1]).notes == ()


def test_a_merge_config_is_held_to_the_same(tmp_path: pathlib.Path) -> None:
    """One that sets both is whole; its moments were written for its own length; a lone length is refused."""
    both, alone = tmp_path / "both.py", tmp_path / "alone.py"
    both.write_text(
        "train_cfg = dict(max_epochs=24)\n"
        "param_scheduler = [dict(type='MultiStepLR', by_epoch=True, begin=0, end=24, milestones=[8, 11])]\n"
    )
    alone.write_text("train_cfg = dict(max_epochs=24)\n")
    assert composed(RETINANET, {}, merge_config=str(both)).notes == ()
    assert "written for 12 epochs" in refused(RETINANET, {}, merge_config=str(alone)).what
    problem = refused(RETINANET, {"train_cfg.max_epochs": 48}, merge_config=[str(alone), str(both)])
    assert "written for 24 epochs" in problem.what
    assert "both.py:2" in problem.where


# --- rescale


def test_steps_warm_up_and_end_move_together_and_it_is_said() -> None:
    result = composed(RETINANET, {"train_cfg.max_epochs": 24}, schedule="rescale")
    assert scheduled(result.config, "end", "milestones") == [[1000, None], [24, [16, 22]]]
    assert result.notes == (
        "schedule: rescale, from 12 epochs to 24 epochs\n"
        "  param_scheduler.0.end: 500 is 1000 now\n"
        "  param_scheduler.1.end: 12 is 24 now\n"
        "  param_scheduler.1.milestones: [8, 11] is [16, 22] now",
    )
    first = next(history(result.layers, ("param_scheduler", 1, "milestones")))
    assert first.where == "derived: schedule: rescale"


def test_what_was_overridden_is_not_touched() -> None:
    length = {"train_cfg.max_epochs": 24, "param_scheduler.1.milestones": [20]}
    result = composed(RETINANET, length, schedule="rescale")
    assert scheduled(result.config, "end", "milestones") == [[1000, None], [24, [20]]]


def test_phases_and_switches_stay_in_step() -> None:
    config = composed(YOLOX, {"train_cfg.max_epochs": 100}, schedule="rescale").config
    assert scheduled(config, "begin", "end", "T_max") == [[0, 2, None], [2, 95, 95], [95, 100, None]]
    assert config.custom_hooks[0].num_last_epochs == 5
    assert config.train_cfg.val_interval == 3
    config = composed(RTMDET, {"train_cfg.max_epochs": 600}, schedule="rescale").config
    assert scheduled(config, "begin", "end", "T_max") == [[0, 2000, None], [300, 600, 300]]
    assert config.custom_hooks[1].switch_epoch == 560
    assert config.train_cfg.to_dict()["dynamic_intervals"] == [(560, 1)]
    assert config.train_cfg.val_interval == 10
    config = composed(RTMDET, {"train_cfg.max_epochs": 101}, schedule="rescale").config
    assert scheduled(config, "begin", "end", "T_max")[1] == [50, 101, 51], "the cosine fills its phase"
    config = composed(MASK2FORMER, {"train_cfg.max_iters": 36875}, schedule="rescale").config
    assert config.param_scheduler.milestones == [32778, 35509]
    assert config.train_cfg.to_dict()["dynamic_intervals"] == [(36500, 36875)]


@pytest.mark.parametrize("epochs", range(1, 13))
def test_milestones_stay_whole_and_in_order(epochs: int) -> None:
    scale = Scale.of([Moment(path=(), value=[8, 11], kind=Kind.MOMENT)], 12, epochs)
    first, second = scale.value(Moment(path=(), value=[8, 11], kind=Kind.MOMENT))
    assert 1 <= first < second
    assert second < epochs or epochs < 3, "inside stays inside where there is room"
    assert epochs < 3 or scale.value(Moment(path=(), value=12, kind=Kind.CUT)) == epochs


def test_too_short_for_its_steps_is_said() -> None:
    notes = composed(RETINANET, {"train_cfg.max_epochs": 2}, schedule="rescale").notes
    assert notes[1] == "the learning rate never steps at epoch 2: training ends at 2 (param_scheduler)"


@pytest.mark.parametrize("epochs", [2, 24])
def test_a_schedule_for_longer_is_said_where_both_were_given_together(epochs: int) -> None:
    """As on a cluster, whose YAML does not tell what the command line has changed in it."""
    cosine = [{"type": "CosineAnnealingLR", "begin": 0, "end": 24, "T_max": 24}]
    notes = composed(RETINANET, {"param_scheduler": cosine, "train_cfg.max_epochs": epochs}).notes
    late = "the learning rate never comes to its end: param_scheduler.0.T_max = 24, and training has 2 epochs"
    assert [note for note in notes if "learning rate" in note] == ([late] if epochs == 2 else [])


def test_epochs_do_not_become_iterations() -> None:
    assert "can't turn epochs into iterations" in refused(RETINANET, BY_ITERATIONS, schedule="rescale").what


# --- keep, and old forms


def test_keep_leaves_everything_and_says_so() -> None:
    plain = composed(RETINANET, {}).config.to_dict()
    result = composed(RETINANET, {"train_cfg.max_epochs": 24}, schedule="keep")
    assert result.config.to_dict() == {**plain, "train_cfg": {**plain["train_cfg"], "max_epochs": 24}}
    (note,) = result.notes
    assert "written for 12 epochs: param_scheduler.1.end = 12, param_scheduler.1.milestones = [8, 11]" in note


@pytest.mark.parametrize("schedule", ["keep", "rescale"])
def test_a_key_that_changes_nothing_is_named(schedule: str) -> None:
    assert composed(RETINANET, {}, schedule=schedule).notes == (
        f"schedule: {schedule} changes nothing: everything fits 12 epochs",
    )


@pytest.mark.parametrize(
    "old", [{"length": {}, "searcher": {"max_length": {"epochs": 24}}}, {"length": {"runner.max_epochs": 24}}]
)
def test_old_forms_keep_their_steps(old: dict[str, Any]) -> None:
    result = composed(RETINANET, **old)
    assert result.config.param_scheduler[1].milestones == [8, 11]
    assert any("schedule: keep" in note and "milestones" in note for note in result.notes)
    assert composed(RETINANET, **old, schedule="rescale").config.param_scheduler[1].milestones == [16, 22]


def test_a_migrated_experiment_says_that_it_keeps_them(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(
        "searcher: {name: single, metric: bbox_mAP}\nhyperparameters:\n"
        f"  config_file: {RETINANET}\n  global_batch_size: 16\n"
        "  override_mmdet_config:\n    runner.max_epochs: 24\n"
    )
    old = compose(load_experiment(path), slots=1)
    text, problems = rewrite(path)
    assert not problems
    path.write_text(text)
    assert compose(load_experiment(path), slots=1).config.to_dict() == old.config.to_dict()


# --- the learning rate of another batch size


def test_another_batch_size_is_said() -> None:
    (note,) = composed(RETINANET, {}, global_batch_size=4).notes
    assert note.startswith("lr 0.01 was chosen for batches of 16, and yours have 4")
    assert "`auto_scale_lr: true` would make it 0.0025" in note
    assert composed(RETINANET, {}, global_batch_size=4, auto_scale_lr=False).notes == ()
    assert composed(RETINANET, {"optim_wrapper.optimizer.lr": 0.002}, global_batch_size=4).notes == ()
    whole = {"optim_wrapper.optimizer": {"_delete_": True, "type": "AdamW", "lr": 0.002}}
    assert composed(RETINANET, whole, global_batch_size=4).notes == ()


def test_a_base_batch_size_that_is_another_configs() -> None:
    """RTMDet inherits 16 from the 1x schedule; its name says 8 × 32."""
    assert not any(note.startswith("lr ") for note in composed(RTMDET, {}, global_batch_size=256).notes)
    (note,) = (note for note in composed(RTMDET, {}, global_batch_size=8).notes if note.startswith("lr "))
    assert "for batches of 16 (its name says 256), and yours have 8" in note


def test_auto_scale_lr_is_the_configs_own(tmp_path: pathlib.Path) -> None:
    result = composed(RETINANET, {}, global_batch_size=4, auto_scale_lr=True)
    assert result.config.auto_scale_lr == {"enable": True, "base_batch_size": 16}
    assert "0.0025 for batches of 4" in result.notes[0]
    none = {"auto_scale_lr.base_batch_size": None}
    assert "for which batch size" in refused(RETINANET, none, auto_scale_lr=True).what
    assert "contradicts" in refused(RETINANET, {"auto_scale_lr.enable": False}, auto_scale_lr=True).what


def test_keys_on_the_command_line(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "searcher: {name: single, metric: bbox_mAP}\n"
        f"hyperparameters: {{config_file: {RETINANET}, global_batch_size: 4}}\n"
    )
    keys = ["train_cfg.max_epochs=24", "schedule=rescale", "auto_scale_lr=true", "auto_scale_lr.base_batch_size=8"]
    config = compose(load_experiment(path, keys), slots=1).config
    assert config.param_scheduler[1].milestones == [16, 22]
    assert config.auto_scale_lr == {"enable": True, "base_batch_size": 8}


# --- the file and the command line

LONGER = """
name: x
hyperparameters:
  config_file: retinanet/retinanet_r18_fpn_1x_coco.py
  global_batch_size: 16
  override_mmdet_config:
    train_cfg.max_epochs: 24
    param_scheduler.1: {end: 24, milestones: [16, 22]}
searcher: {name: single, metric: bbox_mAP}
"""


@pytest.fixture
def longer(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "longer.yaml").write_text(LONGER)
    return tmp_path / "longer.yaml"


def test_what_the_file_gives_is_written_for_the_files_length(longer: pathlib.Path) -> None:
    assert compose(load_experiment(longer), slots=1).notes == ()
    with pytest.raises(ConfigError) as caught:
        compose(load_experiment(longer, ["train_cfg.max_epochs=12"]), slots=1)
    (problem,) = caught.value.problems
    assert problem.what == "training has 12 epochs, and the schedule was written for 24 epochs"
    assert "param_scheduler.1.milestones = [16, 22] (" in problem.where


def test_what_the_command_line_gives_is_written_for_its_own_length(longer: pathlib.Path) -> None:
    both = ["train_cfg.max_epochs=12", "param_scheduler.1={end: 12, milestones: [8, 11]}"]
    assert compose(load_experiment(longer, both), slots=1).config.param_scheduler[1].milestones == [8, 11]


def test_the_command_line_mends_the_file(longer: pathlib.Path) -> None:
    longer.write_text(LONGER.replace("max_epochs: 24", "max_epochs: many"))
    config = compose(load_experiment(longer, ["train_cfg.max_epochs=24", "schedule=keep"]), slots=1).config
    assert config.train_cfg.max_epochs == 24


def test_a_value_that_the_command_line_replaces_has_its_history(longer: pathlib.Path) -> None:
    found = compose(load_experiment(longer, ["train_cfg.max_epochs=12", "schedule=rescale"]), slots=1)
    places = [(origin.value, origin.where) for origin in history(found.layers, ("train_cfg", "max_epochs"))]
    assert places[:2] == [(12, "command line (train_cfg.max_epochs=12)"), (24, "longer.yaml")]
