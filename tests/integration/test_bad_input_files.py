"""Mistakes with outputs, checkpoints, pictures and the command line itself: nothing is written, nothing is lost."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable

import pytest
import torch

from tests.support.place import Mistake, Place, assert_refused, halved, saving, says, written

TWO_EPOCHS = "train_cfg.max_epochs=2"
NARROW = ("model.backbone.base_channels=4", "model.neck.in_channels=[4, 8, 16, 32]")
STATE = "checkpoints/2/state_dict.pth"


def removed(name: str) -> Callable[[Place], object]:
    """Removes a file or folder of the run."""
    return lambda place: (shutil.rmtree if (place.root / name).is_dir() else pathlib.Path.unlink)(place.root / name)


# Root may write anywhere: what lies below a file, and in the kernel's own file systems, nobody can write.
OUTPUT: dict[str, Mistake] = {
    "below a file": says("can't be written: 'tiny.yaml/x'", "Not a directory", arguments=("--output", "tiny.yaml/x")),
    "a file": says("can't be written: 'tiny.yaml'", "--output DIR", arguments=("--output", "tiny.yaml")),
    "not writable": says("can't be written: '/proc/x'", "a directory that you may", arguments=("--output", "/proc/x")),
    "taken": says("already holds something: 'data'", "--output DIR", arguments=("--output", "data")),
}

RESUME: dict[str, Mistake] = {
    "never trained": says(
        "no output of the experiment 'tiny' has a checkpoint", "output/tiny\n", arguments=("--resume",)
    ),
    "no such path": says("there is no checkpoint to resume from: 'x/1'", arguments=("--resume", "x/1")),
    "no checkpoint there": says("there is no checkpoint to resume from: 'data'", arguments=("--resume", "data")),
    "the checkpoint is gone": says(
        "there is no checkpoint to resume from: 'run'",
        prepare=removed("run/checkpoints/2"),
        arguments=("--resume", "run"),
    ),
    "no state": says(
        "not a whole checkpoint: no state_dict.pth",
        "run/checkpoints/2\n",
        prepare=removed(f"run/{STATE}"),
        arguments=("--resume", "run"),
    ),
    "half a state": says(
        "state_dict.pth is broken", prepare=halved(f"run/{STATE}"), arguments=("--resume", "run/checkpoints/2")
    ),
    "no progress": says(
        "no trial_state.pkl", prepare=removed("run/checkpoints/2/trial_state.pkl"), arguments=("--resume", "run")
    ),
    "broken metadata": says(
        "not a whole checkpoint",
        "metadata.json: Expecting",
        prepare=written("run/checkpoints/2/metadata.json", b"{"),
        arguments=("--resume", "run"),
    ),
    "another model": says(
        "the checkpoint is one of another model: 104 of 144 tensors differ",
        "backbone.bn1.bias: (8,) in the checkpoint, (4,) in the model",
        "use_pretrained=PATH/model.pth",
        arguments=("--resume", "run", TWO_EPOCHS, *NARROW),
    ),
    "another optimizer": says(
        "trained with another optimizer: 'only one has amsgrad, betas",
        arguments=("--resume", "run", TWO_EPOCHS, "optim_wrapper.optimizer={_delete_: true, type: AdamW, lr: 0.1}"),
    ),
    "another schedule": says(
        "trained with another schedule: '2 schedulers in the checkpoint, 0 here'",
        arguments=("--resume", "run", TWO_EPOCHS, "param_scheduler=[]"),
    ),
    "another output that is taken": says(
        "already holds something: 'data'", arguments=("--resume", "run", "--output", "data", TWO_EPOCHS)
    ),
    "a model that can't be built": says(
        "can't build the model", "num_outs", arguments=("--resume", "run", TWO_EPOCHS, "model.neck.num_outs=1")
    ),
}

IMAGE = "data/train/000001.png"
PREDICT: dict[str, tuple[Callable[[Place], object] | None, tuple[str, ...], tuple[str, ...]]] = {
    "no such output": (None, ("nothing", IMAGE), ("there is no trained model: 'nothing'", "ls output/*")),
    "not an output": (None, ("data", IMAGE), ("there is no trained model: 'data'",)),
    "never trained": (None, ("tiny.yaml", IMAGE), ("no output of the experiment 'tiny' has a checkpoint",)),
    "no such experiment": (None, ("nothing.yaml", IMAGE), ("no such experiment file: 'nothing.yaml'",)),
    "no such image": (None, ("run", "a.png", IMAGE), ("there is no such image: 'a.png'",)),
    "a broken image": (None, ("run", "tiny.yaml"), ("the image is broken: 'tiny.yaml'", "ls -l tiny.yaml")),
    "broken weights": (
        halved("run/checkpoints/2/model.pth"),
        ("run", IMAGE),
        ("the weights can't be loaded", "best/model.pth"),
    ),
    "weights of another model": (
        saving({"state_dict": {"a": torch.zeros(3)}, "meta": {}}, "run/checkpoints/2/model.pth"),
        ("run", IMAGE),
        ("the weights are another model's than the config's", "0 of 144 tensors", "run/config.py"),
    ),
    "a broken config": (
        written("run/config.py", b"model = ("),
        ("run", IMAGE),
        ("the config can't be read (SyntaxError",),
    ),
    "no place to write": (None, ("run", IMAGE, "--to", "tiny.yaml/x"), ("can't be written: 'tiny.yaml/x'", "--to DIR")),
}

COMMANDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "unknown command": (("trian", "tiny.yaml"), ("there is no command 'trian'", "did you mean train?")),
    "unknown option": (("train", "tiny.yaml", "--ouput", "x"), ("--ouput", "did you mean --output?")),
    "no experiment": (("train",), ("required: EXPERIMENT.yaml",)),
    "no image": (("predict", "run"), ("required: IMAGE",)),
    "a wrong threshold": (("predict", "run", IMAGE, "--threshold", "7"), ("score from 0 to 1", "'7'")),
    "unknown data": (("data", "quikstart"), ("'quikstart'", "quickstart", "digits")),
}


@pytest.mark.parametrize("name", OUTPUT)
def test_output(name: str, place: Place) -> None:
    assert_refused(place, "train", "tiny.yaml", *OUTPUT[name].arguments, words=OUTPUT[name].says)


@pytest.mark.parametrize("name", RESUME)
def test_resume(name: str, run: pathlib.Path, place: Place) -> None:
    """The run that was to be resumed stays as it was, too."""
    RESUME[name].make(place)
    assert_refused(place, "train", "tiny.yaml", *RESUME[name].arguments, words=RESUME[name].says)


@pytest.mark.parametrize("name", PREDICT)
def test_predict(name: str, run: pathlib.Path, place: Place) -> None:
    prepare, arguments, words = PREDICT[name]
    if prepare:
        prepare(place)
    assert_refused(place, "predict", *arguments, words=words)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_line(name: str, place: Place) -> None:
    arguments, words = COMMANDS[name]
    assert_refused(place, *arguments, words=("usage: python -m model_def", *words), parts=())


@pytest.mark.parametrize("root", ["data", "tiny.yaml"])
def test_data_in_the_place_of_something_else(root: str, place: Place) -> None:
    place.annotations(lambda content: content.clear())
    (place.root / "data/manifest.json").unlink()
    assert_refused(
        place, "data", "digits", "--root", root, words=("something else is in the data set's place", f"{root}.mine")
    )


def test_half_a_line_of_metrics_does_not_stop_a_run(run: pathlib.Path, place: Place) -> None:
    """What a process leaves that was killed, or found no room, while it wrote."""
    with (run / "metrics.jsonl").open("a") as metrics:
        metrics.write('{"group": "trai')
    code, _, err = place.run("train", "tiny.yaml", "--resume", "run", TWO_EPOCHS)
    assert code == 0, err
    assert "trai" not in (run / "metrics.jsonl").read_text().replace("training", "")
