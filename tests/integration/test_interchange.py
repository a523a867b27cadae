"""Checkpoints go both ways: stock mmdet tests and infers with ours, and our `--resume` goes on from stock's."""

from __future__ import annotations

import json
import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import torch
import yaml

from model_def.errors import WeightsError
from model_def.state.plain import revive
from model_def.weights import read_state_dict
from model_def.weights.stock import read_stock
from tests.integration.test_parity import small_experiment
from tests.support.commands import as_stock, metrics, run

YOLOX = "yolox/yolox_tiny_8xb8-300e_coco.py"
ITERATIONS = "retinanet/retinanet_r18_fpn_1x_coco.py by iterations"
# The iteration loop of stock advances by loading every image again. Where nothing is drawn for one, that is the same.
NO_FLIP = "train_dataloader.dataset.pipeline.3.prob=0.0"


@pytest.fixture(scope="module")
def runs(shapes_context: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What all the jobs have left: ours, stock's, and either's that went on from stock's first checkpoint."""
    root = tmp_path_factory.mktemp("interchange")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shapes_context)
        yolox, iterations = _experiment(root, "yolox", YOLOX), _experiment(root, "iterations", ITERATIONS)
    # One by one, as init_detector infers; and averages that lag behind the weights: else they would measure alike.
    train = ["ours", "train", yolox, "val_dataloader.batch_size=1", "+custom_hooks.2.gamma=1"]
    best = f"{root}/yolox/ours/checkpoints/best/model.pth"
    changed = ["dataset.classes=[ellipse]", f"use_pretrained={best}"]
    jobs = [
        *_jobs(root / "yolox", train, "epoch_1.pth"),
        ["test", f"{root}/yolox/ours/config.py", best, f"{root}/tested.json"],
        [*train, *changed, "--output", f"{root}/changed/ours"],
        ["stock", f"{root}/changed/ours/config.py", f"{root}/changed/stock", ""],
        *_jobs(root / "iterations", ["ours", "train", iterations, NO_FLIP], "iter_6.pth"),
    ]
    (root / "jobs.json").write_text(json.dumps(jobs))
    command = [sys.executable, "-m", "tests.support.interchange", str(root / "jobs.json")]
    done = run(*command, cwd=shapes_context, XDG_CACHE_HOME=str(root / "cache"))
    (root / "log.txt").write_text(done.stdout)
    return root


def _experiment(root: pathlib.Path, name: str, file: str) -> str:
    def write(content):
        path = root / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return str(small_experiment(file, write))


def _jobs(root: pathlib.Path, train: list[str], first: str) -> list[list[str]]:
    checkpoint = f"{root}/stock/{first}"
    seed = "reproducibility.experiment_seed=8"  # of another seed than the checkpoint: mmengine takes that one's
    return [
        [*train, "--output", f"{root}/ours"],
        ["stock", f"{root}/ours/config.py", f"{root}/stock", ""],
        [*train, seed, "--resume", checkpoint, "--output", f"{root}/resumed"],
        ["stock", f"{root}/resumed/config.py", f"{root}/stock-resumed", checkpoint],
    ]


def ours(path: pathlib.Path) -> list[dict[str, Any]]:
    return as_stock(path / "metrics.jsonl")


def stock(path: pathlib.Path) -> list[dict[str, Any]]:
    return metrics(path / "stock.jsonl")


@pytest.mark.parametrize("how", ["test", "inference"])
def test_stock_measures_what_we_measured(how: str, runs: pathlib.Path) -> None:
    """It has averaged weights, and validates with them."""
    root = runs / "yolox/ours"
    best = int((root / "checkpoints/best").resolve().name)
    (line,) = [x for x in ours(root) if x["group"] == "validation" and x["steps_completed"] == best]
    found = json.loads((runs / "tested.json").read_text())[how]
    assert {metric.split("/")[-1]: value for metric, value in found.items()} == line["metrics"]
    assert line["metrics"]["bbox_mAP"] > 0


def test_the_published_weights_are_the_averaged_ones(runs: pathlib.Path) -> None:
    for name in ("yolox", "changed"):
        state = torch.load(runs / name / "ours/checkpoints/best/state_dict.pth", weights_only=True)
        trained = state["callbacks"]["mmengine"]["runner"]["ema_state_dict"]  # mmengine swaps the two when it saves
        published = read_state_dict(runs / name / "ours/checkpoints/best/model.pth")
        assert any(not torch.equal(tensor, trained[f"module.{key}"]) for key, tensor in published.items())


def test_a_head_of_another_class_count(runs: pathlib.Path) -> None:
    """Averaged weights of two classes are where one class begins, as in stock; the plan names what could not load."""
    assert ours(runs / "changed/ours") == stock(runs / "changed/stock")
    assert "6 of another shape, so left as initialised: bbox_head.multi_level_conv_cls.0.weight (2, " in log(runs)
    assert "not in the weights" not in log(runs)


def log(runs: pathlib.Path) -> str:
    """All that was printed."""
    return (runs / "log.txt").read_text()


@pytest.mark.parametrize(("name", "last"), [("yolox", "epoch_3.pth"), ("iterations", "iter_18.pth")])
def test_we_go_on_from_stocks_checkpoint_as_stock_does(name: str, last: str, runs: pathlib.Path) -> None:
    """Losses, learning rates, metrics, weights, averaged weights, momenta, schedules and MessageHub, bit for bit."""
    root = runs / name
    assert [x["steps_completed"] for x in ours(root / "resumed") if x["group"] == "training"] == list(range(7, 19))
    assert ours(root / "resumed") == stock(root / "stock-resumed")
    state = torch.load(root / "resumed/checkpoints/latest/state_dict.pth", weights_only=True)
    mine, theirs = revive(state["callbacks"]["mmengine"]["runner"]), read_stock(root / "stock-resumed" / last).content
    for part in ("state_dict", "ema_state_dict", "optimizer", "param_schedulers"):
        assert_same(mine.get(part), theirs.get(part), part)
    histories = [content["message_hub"]["log_scalars"]["train/loss"].data[0] for content in (mine, theirs)]
    assert histories[0].tolist() == histories[1].tolist()
    assert len(histories[0]) == 18, "the histories begin before the resume"
    assert "the file holds no random numbers' state" in log(runs)
    assert "random numbers start from the checkpoint's seed 7, as in mmengine" in log(runs)


def test_without_a_stop_both_are_equal(runs: pathlib.Path) -> None:
    assert ours(runs / "iterations/ours") == stock(runs / "iterations/stock")


def assert_same(mine: Any, theirs: Any, place: str) -> None:
    if isinstance(theirs, torch.Tensor):
        assert torch.equal(mine, theirs), place
    elif isinstance(theirs, Mapping):
        assert mine.keys() == theirs.keys(), place
        for key in theirs:
            assert_same(mine[key], theirs[key], f"{place}.{key}")
    elif isinstance(theirs, list | tuple):
        assert len(mine) == len(theirs), place
        for index, item in enumerate(theirs):
            assert_same(mine[index], item, f"{place}.{index}")
    else:
        assert mine == theirs, place


def test_a_stock_checkpoint_runs_no_code(runs: pathlib.Path, tmp_path: pathlib.Path) -> None:
    class Attack:
        def __reduce__(self) -> Any:
            return os.makedirs, (str(tmp_path / "attacked"), 0o777, True)

    content = torch.load(runs / "yolox/stock/epoch_1.pth", weights_only=False)
    content["meta"]["hook_msgs"] = Attack()
    content["message_hub"]["runtime_info"]["evil"] = [Attack()]
    torch.save(content, tmp_path / "epoch_1.pth")
    assert read_stock(tmp_path / "epoch_1.pth").iterations == 6
    content["param_schedulers"][0]["func"] = Attack()
    torch.save(content, tmp_path / "epoch_2.pth")
    with pytest.raises(WeightsError, match=r"without running their code, such as param_schedulers\.0\.func"):
        read_stock(tmp_path / "epoch_2.pth")
    assert not (tmp_path / "attacked").exists()
    torch.load(tmp_path / "epoch_1.pth", weights_only=False)
    assert (tmp_path / "attacked").exists(), "the attack is real"
