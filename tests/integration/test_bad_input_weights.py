"""Mistakes in the weights to start from: `train` and `check` say the same; `check` downloads nothing."""

from __future__ import annotations

import functools
import http.server
import os
import pathlib
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from model_def.state.plain import revive
from tests.support.place import Mistake, Place, assert_refused, halved, saving, says, written

NARROW = ("model.backbone.base_channels=4", "model.neck.in_channels=[4, 8, 16, 32]")

WEIGHTS: dict[str, Mistake] = {
    "missing": says(
        "no such weights file: 'w.pth'", "command line (use_pretrained=w.pth)", arguments=("use_pretrained=w.pth",)
    ),
    "a folder": says("the weights are a directory, not a file: 'data'", arguments=("use_pretrained=data",)),
    "an unknown scheme": says("'ftp://a/b.pth'", "s3:// or gs:// URL", arguments=("use_pretrained=ftp://a/b.pth",)),
    "text": says(
        "not a PyTorch checkpoint", "a .pth file", prepare=written("w.pth", b"hi"), arguments=("use_pretrained=w.pth",)
    ),
    "empty": says("not a PyTorch checkpoint", prepare=written("w.pth", b""), arguments=("use_pretrained=w.pth",)),
    "half": says(
        "not a PyTorch checkpoint",
        "'model.pth'",
        prepare=halved("run/checkpoints/2/model.pth"),
        arguments=("use_pretrained=run/checkpoints/2/model.pth",),
    ),
    "no tensors": says(
        "the checkpoint holds no tensors: 'w.pth'", prepare=saving({"a": 1}), arguments=("use_pretrained=w.pth",)
    ),
    "another model": says(
        "these weights are another model's: 30.0% of the parameters",
        "'model.pth'",
        "of another shape, so left as initialised: backbone.conv1.weight (8, 3, 7, 7) in the weights, (4, 3, 7, 7) in",
        "at least 50% of the model's parameters",
        "to accept less: use_pretrained={checkpoint: …, min_loaded: 0.1}",
        arguments=("use_pretrained=run/checkpoints/2/model.pth", *NARROW),
    ),
    "less than asked for": says(
        "these weights are another model's: 30.0% of the parameters",
        "at least 40% of the model's parameters",
        arguments=("use_pretrained={checkpoint: run/checkpoints/2/model.pth, min_loaded: 0.4}", *NARROW),
    ),
    "a percentage": says(
        "is a part, not a percentage: 40",
        "command line (use_pretrained={checkpoint: w.pth, min_loaded: 40})",
        "write `min_loaded: 0.4`",
        arguments=("use_pretrained={checkpoint: w.pth, min_loaded: 40}",),
    ),
    "none in the zoo": says(
        "this config isn't the zoo's",
        "mine.py",
        prepare=written("mine.py", b"_base_ = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'\n"),
        arguments=("use_pretrained=true", "config_file=mine.py"),
    ),
    "none in load_from": says(
        "'nothing.pth'", "load_from=None to start from random weights", arguments=("load_from=nothing.pth",)
    ),
    "another model's in load_from": says(
        "these weights are another model's: 0.0%",
        "command line (load_from=w.pth)",
        prepare=saving({"state_dict": {"a": torch.zeros(3)}}),
        arguments=("load_from=w.pth",),
    ),
    "none for the backbone": says(
        "'nothing.pth'",
        "model.backbone.init_cfg.checkpoint",
        "model.backbone.init_cfg=None to start from random weights",
        arguments=("model.backbone.init_cfg={type: Pretrained, checkpoint: nothing.pth}",),
    ),
    "no checkpoint for the backbone": says(
        "the initial weights can't be loaded",
        "'tiny.yaml'",
        arguments=("model.backbone.init_cfg={type: Pretrained, checkpoint: tiny.yaml}",),
    ),
}


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize("name", WEIGHTS)
def test_weights(name: str, command: str, run: pathlib.Path, place: Place) -> None:
    WEIGHTS[name].make(place)
    assert_refused(place, command, "tiny.yaml", *WEIGHTS[name].arguments, words=WEIGHTS[name].says)


def test_less_may_load_if_the_yaml_says_so(run: pathlib.Path, place: Place) -> None:
    wanted = "use_pretrained={checkpoint: run/checkpoints/2/model.pth, min_loaded: 0.3}"
    code, out, err = place.run("check", "tiny.yaml", wanted, *NARROW)
    assert code == 0, out + err
    assert "model.pth: 30.0% of the parameters load, " in out
    assert "of another shape, so left as initialised: backbone.conv1.weight (8, 3, 7, 7) in the weights, (4, 3," in out


def stock_file(place: Place) -> None:
    """The run's checkpoint as stock mmengine would have written it."""
    state = torch.load(place.root / "run/checkpoints/2/state_dict.pth", weights_only=True)
    torch.save(revive(state["callbacks"]["mmengine"]["runner"]), place.root / "epoch_1.pth")


def malicious_state(place: Place) -> None:
    """Determined loads this part of a checkpoint by pickle."""
    path = place.root / "run/checkpoints/2/trial_state.pkl"
    path.write_bytes(pickle.dumps({**pickle.loads(path.read_bytes()), "evil": Attack()}))


class Attack:
    """Makes a folder when it is loaded."""

    def __reduce__(self) -> Any:
        return os.makedirs, ("attacked",)


TWO_EPOCHS = "train_cfg.max_epochs=2"
RESUMES: dict[str, Mistake] = {
    "weights alone": says(
        "a run can't go on from this file: it has no optimizer: 'model.pth'",
        "epoch_N.pth or iter_N.pth of mmengine",
        "--resume ",
        arguments=("--resume", "run/checkpoints/2/model.pth"),
    ),
    "no checkpoint": says("not a PyTorch checkpoint", arguments=("--resume", "tiny.yaml")),
    "another batch size": says(
        "the checkpoint was trained with epochs of another length: '2 batches in 1 epochs'",
        "epochs of 4 batches",
        prepare=stock_file,
        arguments=("--resume", "epoch_1.pth", "global_batch_size=1", TWO_EPOCHS),
    ),
    "another optimizer": says(
        "the checkpoint was trained with another optimizer",
        prepare=stock_file,
        arguments=("--resume", "epoch_1.pth", "optim_wrapper.optimizer={_delete_: true, type: AdamW, lr: 0.1}"),
    ),
    "another model": says(
        "the checkpoint is one of another model",
        prepare=stock_file,
        arguments=("--resume", "epoch_1.pth", *NARROW),
    ),
    "code in a part of the checkpoint": says(
        "this part of a checkpoint can't be trusted (it asks for os.makedirs): 'trial_state.pkl'",
        prepare=malicious_state,
        arguments=("--resume", "run", TWO_EPOCHS),
    ),
}


@pytest.mark.parametrize("name", RESUMES)
def test_what_a_run_can_not_go_on_from(name: str, run: pathlib.Path, place: Place) -> None:
    RESUMES[name].make(place)
    assert_refused(place, "train", "tiny.yaml", *RESUMES[name].arguments, words=RESUMES[name].says)


@pytest.fixture
def server(place: Place) -> Iterator[str]:
    """The URL of a server of the place's files."""
    handler = functools.partial(QuietHandler, directory=place.root)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Says nothing on standard error."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_weights_with_a_wrong_hash(server: str, place: Place) -> None:
    torch.save({"state_dict": {"a": torch.zeros(3)}}, "w-12345678.pth")
    words = (
        "not what their name says",
        "SHA-256",
        "whose SHA-256 begins with 12345678",
        "w-12345678.pth, from command line",
    )
    assert_refused(place, "train", "tiny.yaml", f"use_pretrained={server}/w-12345678.pth", words=words)


def test_weights_that_are_not_on_the_server(server: str, place: Place) -> None:
    words = ("the weights can't be downloaded (HTTP 404", f"'{server}/w.pth'", "use_pretrained: path/to/it.pth")
    assert_refused(place, "train", "tiny.yaml", f"use_pretrained={server}/w.pth", words=words)


def test_check_downloads_nothing(server: str, place: Place) -> None:
    code, out, err = place.run(
        "check",
        "tiny.yaml",
        f"use_pretrained={server}/w.pth",
        f"model.backbone.init_cfg={{type: Pretrained, checkpoint: '{server}/backbone.pth'}}",
    )
    assert code == 0, out + err
    assert f"{server}/w.pth (not downloaded)" in out
