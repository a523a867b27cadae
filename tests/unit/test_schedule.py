"""When the controller reports, validates and saves."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from model_def.checkpoint_hook import checkpoint_notes, is_translated
from model_def.experiment_types import Length
from model_def.schedule import checkpoints, reports, validations


class FakePump:
    """Only what a schedule asks a pump for; its own tests run a real one."""

    by_epoch = True
    validates_now = False
    finished = False

    def __len__(self):
        return 10


def experiment(**fields):
    defaults = {
        "scheduling_unit": 4,
        "min_validation_period": None,
        "min_checkpoint_period": None,
        "hyperparameters": SimpleNamespace(global_batch_size=2),
    }
    return SimpleNamespace(**defaults | fields)


def moments(due, end=41):
    return [batches for batches in range(1, end) if due(batches)]


def test_reports_every_scheduling_unit():
    assert moments(reports(experiment(), FakePump(), lambda: False), 13) == [4, 8, 12]


def test_reports_at_once_when_asked_to_stop():
    assert moments(reports(experiment(), FakePump(), lambda: True), 4) == [1, 2, 3]


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ({"type": "CheckpointHook", "interval": 2}, [20, 40]),
        ({"type": "CheckpointHook", "interval": 15, "by_epoch": False}, [15, 30]),
        ({"type": "CheckpointHook", "interval": 1, "save_begin": 3}, [30, 40]),
        ({"type": "CheckpointHook"}, []),
        (None, []),
        ({"type": "MyCheckpointHook", "interval": 1}, []),
    ],
)
def test_saves_when_the_checkpoint_hook_would(hook, expected):
    assert moments(checkpoints(experiment(), FakePump(), hook)) == expected


def test_a_hook_that_counts_epochs_sees_only_the_end_of_a_loop_that_does_not():
    pump = FakePump()
    pump.by_epoch = False
    assert moments(checkpoints(experiment(), pump, {"type": "CheckpointHook", "interval": 1})) == []


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [("batches", 15, [15, 30]), ("epochs", 2, [20, 40]), ("records", 50, [25]), ("batches", 0, [])],
)
def test_saves_when_the_yaml_says_so(unit, value, expected):
    due = checkpoints(experiment(min_checkpoint_period=Length(unit=unit, value=value)), FakePump(), None)
    assert moments(due) == expected


def test_validates_when_the_loop_would_and_when_the_yaml_says_so():
    pump = FakePump()
    due = validations(experiment(min_validation_period=Length(unit="batches", value=7)), pump)
    assert moments(due, 15) == [7, 14]
    pump.validates_now = True
    assert due(3)


def test_an_unknown_checkpoint_hook_is_left_alone():
    assert is_translated({"type": "CheckpointHook"})
    assert not is_translated({"type": "MyCheckpointHook"})


def test_says_what_becomes_of_the_hooks_options():
    (note,) = checkpoint_notes({"type": "CheckpointHook", "interval": 1, "save_best": "coco/bbox_mAP"})
    assert "save_best" in note
    assert "searcher.metric" in note
