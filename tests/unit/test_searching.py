"""A search off a cluster: what it draws, who goes on, what it writes down. No Ray is needed here."""

import io
import itertools
import random
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml

from model_def.arguments import launcher
from model_def.errors import OutputError, UserError
from model_def.experiment import load_experiment
from model_def.searching import halving, record
from model_def.searching.command import ENGINE, RECORD
from model_def.searching.halving import Bracket, Size, Verdict
from model_def.searching.picture import axis
from model_def.searching.plan import make_plan
from model_def.searching.search import FAILED, Search
from model_def.searching.space import assignments, draws, points, searched
from tests.cluster import asha

LR = "optim_wrapper.optimizer.lr"


def experiment(folder, searcher, hyperparameters=None, **overrides):
    path = folder / "experiment.yaml"
    content = {
        "name": "tiny",
        "hyperparameters": {
            "config_file": "retinanet/retinanet_r18_fpn_1x_coco.py",
            "global_batch_size": 2,
            "override_mmdet_config": {LR: {"type": "log", "base": 10, "minval": -3, "maxval": -1}, **overrides},
            **(hyperparameters or {}),
        },
        "searcher": {"metric": "bbox_mAP", "smaller_is_better": False, **searcher},
        "reproducibility": {"experiment_seed": 7},
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


RANDOM = {"name": "random", "max_trials": 4}
ASHA = {"name": "adaptive_asha", "max_trials": 9, "time_metric": "epochs", "max_time": 9, "divisor": 3}
ASHA |= {"mode": "aggressive", "max_concurrent_trials": 2}


def test_the_hint_names_the_extra():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["optional-dependencies"]["search"] == [ENGINE]


def test_the_draws_are_a_masters():
    # From the tests of Determined's own generator: with seed 42, numbers below ten.
    spaces = {name: {"type": "int", "minval": 0, "maxval": 9} for name in "cab"}
    assert list(next(draws(spaces, 42)).values()) == [6, 3, 7]
    assert [place[-1] for place in searched(spaces)] == ["a", "b", "c"]


def test_between_two_trials_a_master_draws_five_words():
    state = np.random.RandomState(42)
    state.randint(10, size=3)
    state.randint(2**32, size=5, dtype=np.uint32)  # the trial's name and seed
    spaces = {name: {"type": "int", "minval": 0, "maxval": 9} for name in "cab"}
    second = [*itertools.islice(draws(spaces, 42), 2)][1]
    assert [*second.values()] == [*state.randint(10, size=3)]


def test_draws_are_those_of_the_seed_and_hold_both_ends():
    space = {"n": {"type": "int", "minval": 1, "maxval": 3}, "c": {"type": "categorical", "vals": [True, "x"]}}
    one, other = ([next(values) for _ in range(50)] for values in (draws(space, 3), draws(space, 3)))
    assert one == other != [*itertools.islice(draws(space, 4), 50)]
    assert {draw["hyperparameters", "n"] for draw in one} == {1, 2, 3}
    assert {draw["hyperparameters", "c"] for draw in one} == {True, "x"}


def test_a_grid_begins_with_its_last_point():
    space = {
        "b": {"type": "categorical", "vals": ["x", "y"]},
        "a": {"n": {"type": "int", "minval": 0, "maxval": 5, "count": 3}, "one": {"type": "const", "val": 1}},
    }
    found = [tuple(draw.values()) for draw in points(space)]
    assert found == [(5, "y"), (5, "x"), (3, "y"), (3, "x"), (0, "y"), (0, "x")]  # 2.5 is 3, as in Go


@pytest.mark.parametrize(
    "value",
    [1e-05, 3, True, None, "a.py", "1e-3", "a: b", "", [1, 2.5], {"type": "SGD", "lr": 0.1, "momentum": 0.9}],
)
def test_a_draw_as_arguments_is_what_the_yaml_would_hold(tmp_path, value):
    key = "optim_wrapper.optimizer"
    file = experiment(tmp_path, RANDOM, **{key: {"type": "categorical", "vals": [value]}})
    draw = next(draws(yaml.safe_load(file.read_text())["hyperparameters"], 0))
    found = load_experiment(file, assignments({**draw, ("hyperparameters", "override_mmdet_config", LR): 0.1}))
    overrides = found.hyperparameters.override_mmdet_config
    if isinstance(value, dict):  # laid over the config leaf by leaf
        assert overrides == {f"{key}.{name}": item for name, item in (value | {"lr": 0.1}).items()}
    else:
        assert overrides[key] == value


@pytest.mark.parametrize(
    ("searcher", "length", "expected"),
    [  # from the tests of Determined's own
        ({"max_trials": 10, "max_concurrent_trials": 2}, 100, [(2, 7, 1), (1, 3, 1)]),
        (
            {"max_trials": 10, "max_concurrent_trials": 5, "divisor": 3.0, "mode": "conservative"},
            1000,
            [(3, 7, 2), (2, 2, 2), (1, 1, 1)],
        ),
    ],
)
def test_the_brackets_are_determineds(searcher, length, expected):
    found = halving.sizes({"name": "adaptive_asha", **searcher}, length)
    assert found == [Size(rungs=r, trials=n, at_once=c) for r, n, c in expected]
    assert [halving.dealt(found).count(number) for number in range(len(found))] == [size.trials for size in found]


def test_the_rungs_are_determineds():
    assert halving.rung_lengths(4, 2, 10) == [1, 2, 5, 10]
    assert halving.rung_lengths(3, 3, 900) == [100, 300, 900]


@pytest.mark.parametrize("seed", range(20))
def test_who_goes_on_is_who_goes_on_at_the_stand_in(seed):
    """The stand-in for a cluster has its own code for the rule."""
    chance = random.Random(seed)
    divisor, rungs = chance.choice([2, 3, 4, 2.5]), chance.randint(1, 4)
    searcher = {"metric": "m", "time_metric": "t", "smaller_is_better": True, "divisor": divisor, "max_time": 16}
    theirs = asha.Bracket(0, rungs, 0, 0, searcher, iter(()))
    ours = Bracket(halving.rung_lengths(rungs, divisor, 16), divisor)
    lengths = dict.fromkeys(range(12), 0)
    while lengths:
        trial = chance.choice([*lengths])
        lengths[trial] += chance.randint(1, 5)
        metric = chance.choice([0.1, 0.2, chance.random()])
        stopped = theirs._is_stopped(type("Trial", (), {"id": trial})(), lengths[trial], metric)
        verdict = ours.judge(trial, lengths[trial], metric)
        assert stopped is (verdict is not Verdict.GO_ON)
        if stopped:
            del lengths[trial]


def test_a_trial_that_fails_or_measures_nothing_is_the_worst():
    bracket = Bracket([1, 4], 2)
    bracket.lose(0)
    assert bracket.judge(1, 1, 0.5) is Verdict.GO_ON
    assert bracket.judge(2, 1, float("nan")) is Verdict.STOP


def search(file, folder, *arguments):
    folder.mkdir(exist_ok=True)
    return Search(make_plan(file, arguments), folder)


def test_a_search_goes_on_from_what_it_wrote(tmp_path):
    file, folder = experiment(tmp_path, ASHA), tmp_path / "search"
    first = search(file, folder)
    for trial, value in ((0, 0.3), (1, 0.4), (2, 0.1)):
        first.begun(trial)
        first.measured(trial, batches=5, metrics={"bbox_mAP": value, "epochs": 1.0})
    first.ended(3, FAILED, "no")
    with (folder / RECORD).open("a") as stream:
        stream.write('{"event": "valid')  # killed while it wrote
    again = search(file, folder)
    assert again.trials == first.trials
    assert [trial.status for trial in again.trials[:4]] == ["training", "training", "stopped early", "failed"]
    assert again.best() == 1
    assert again.left() == [0, 1, *range(4, 9)]
    # The same as without the stop: two have come to the first rung before, and one of five goes on.
    for one in (first, again):
        assert one.measured(4, batches=5, metrics={"bbox_mAP": 0.35, "epochs": 1.0}) is Verdict.STOP
    assert record.read(folder / RECORD)[-1]["length"] == 1


def test_a_validation_that_is_told_again_changes_nothing(tmp_path):
    one = search(experiment(tmp_path, ASHA), tmp_path / "search")
    for _ in range(3):
        assert one.measured(0, batches=5, metrics={"bbox_mAP": 0.1, "epochs": 1.0}) is Verdict.GO_ON
    assert one.measured(1, batches=5, metrics={"bbox_mAP": 0.2, "epochs": 1.0}) is Verdict.GO_ON


def test_another_search_is_not_gone_on_with(tmp_path):
    file, folder = experiment(tmp_path, RANDOM), tmp_path / "search"
    search(file, folder).begun(0)
    with pytest.raises(OutputError, match="another search"):
        search(file, folder, "reproducibility.experiment_seed=8")


@pytest.mark.parametrize(
    ("searcher", "message"),
    [
        ({"name": "random"}, "`searcher.max_trials` is missing"),
        ({"name": "grid"}, "a grid needs to know how many values"),
        ({"name": "adaptive_asha", "max_trials": 4}, "`searcher.max_time` is missing"),
        (ASHA | {"divisor": 1}, "`searcher.divisor` must be above 1"),
        ({"name": "custom"}, "the searcher `custom` was removed from Determined"),
    ],
)
def test_a_searcher_that_lacks_something(tmp_path, searcher, message):
    with pytest.raises(UserError, match=message):
        make_plan(experiment(tmp_path, searcher))


def test_every_draw_is_looked_at_before_anything_trains(tmp_path):
    size = {"type": "double", "minval": 1.0, "maxval": 4.0}
    with pytest.raises(UserError, match="global_batch_size"):
        make_plan(experiment(tmp_path, RANDOM, {"global_batch_size": size}))


def test_the_old_form_of_a_length(tmp_path):
    old = {"name": "adaptive_asha", "max_trials": 9, "max_length": {"epochs": 9}, "divisor": 3, "mode": "aggressive"}
    plan = make_plan(experiment(tmp_path, old))
    assert (plan.unit, plan.lengths) == ("epochs", ((1, 3, 9),))


def test_the_picture_has_the_scale_that_is_searched_on():
    found = axis("lr", {"type": "log"}, [1e-3, 1e-1, 1e-2])
    assert found.heights == pytest.approx([0, 1, 0.5])
    assert list(found.ticks.values()) == ["0.001", "0.1"]
    assert axis("c", {"type": "categorical", "vals": ["a/x.py", {"b": 1}]}, [{"b": 1}]).heights == [1]


def test_what_a_search_shows(tmp_path):
    from rich.console import Console

    from model_def.searching.board import Board, summarize

    one = search(experiment(tmp_path, RANDOM), tmp_path / "search")
    console = Console(record=True, width=200, file=io.StringIO())
    with Board(one, console) as board:
        for trial, value in ((0, 0.2), (1, 0.5)):
            one.begun(trial)
            board.changed()
            one.measured(trial, batches=1200, metrics={"bbox_mAP": value, "epochs": 1.0})
            one.ended(trial, "done")
            board.changed()
        console.print(board.table())
    summarize(one, seconds=65, picture=None, console=console)
    text = console.export_text()
    assert "trial 2/4 · training · lr=0.00815" in text
    assert "trial 2/4 · done · batch 1,200 · best bbox_mAP 0.500" in text
    assert re.search(r"2 +done +1,200 +0.500 ★ +lr=0.00815", text)
    assert "done in 1:05: 2 done, 2 waiting; 2,400 batches" in text
    assert f"python -m model_def predict {tmp_path}/search/trials/002 IMAGE…" in text
    assert f"python -m model_def train {tmp_path}/experiment.yaml {LR}=0.00815" in text
    assert launcher(2) == ["torchrun", "--nproc-per-node", "2", "-m", "model_def"]
