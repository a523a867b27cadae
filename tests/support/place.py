"""A context directory of one's own, with made data and a small experiment, and the commands that are run in it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from model_def import cli
from model_def.datasets import made

# Fixed text: a test can name the line and the column that a message must point to.
EXPERIMENT = """\
name: tiny
entrypoint: python3 -m determined.launch.torch_distributed python3 -m model_def.train
hyperparameters:
  config_file: retinanet/retinanet_r18_fpn_1x_coco.py
  global_batch_size: 2
  dataset:
    root: data
    train: {ann_file: train.json, img_prefix: train/}
    val: {ann_file: val.json, img_prefix: val/}
  override_mmdet_config:
    model.backbone: {init_cfg: null, base_channels: 8, frozen_stages: -1, norm_eval: false}
    model.neck: {in_channels: [8, 16, 32, 64], out_channels: 16}
    model.bbox_head: {in_channels: 16, feat_channels: 16, stacked_convs: 1}
    train_dataloader: {num_workers: 0, persistent_workers: false}
    val_dataloader: {num_workers: 0, persistent_workers: false}
    train_dataloader.dataset.pipeline.2.scale: [96, 96]
    val_dataloader.dataset.pipeline.1.scale: [96, 96]
    train_cfg: {max_epochs: 1}
  schedule: keep
searcher:
  name: single
  metric: bbox_mAP
  smaller_is_better: false
"""
PARTS = ("  where:   ", "  allowed: ", "  next:    ")  # of every message


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """The directory, which is the current one.

    Attributes:
        root: holds `tiny.yaml` and `data/`.
        capture: what is printed.
    """

    root: pathlib.Path
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command in this process: its exit code, standard output and standard error."""
        self.capture.readouterr()
        try:
            code = cli.main([*arguments])
        except SystemExit as stop:  # argparse's
            code = int(stop.code or 0)
        return code, *self.capture.readouterr()

    def files(self) -> dict[str, bytes]:
        """Everything below the directory: what each file holds, nothing for a folder."""
        return {str(path.relative_to(self.root)): path.read_bytes() if path.is_file() else b"" for path in self.walk()}

    def walk(self) -> Iterator[pathlib.Path]:
        """Every path below the directory, but for what Python keeps of modules that it has imported from there."""
        yield from (path for path in self.root.rglob("*") if "__pycache__" not in path.parts)

    def edit(self, old: str, new: str) -> None:
        """Change the experiment."""
        path = self.root / "tiny.yaml"
        text = path.read_text()
        assert text.count(old) == 1, old
        path.write_text(text.replace(old, new))

    def annotations(self, change: Callable[[dict[str, Any]], Any], split: str = "train") -> None:
        """Change what an annotation file holds, in place."""
        path = self.root / "data" / f"{split}.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))


def build(root: pathlib.Path, *, images: int = 4) -> pathlib.Path:
    """The directory that each place is a copy of."""
    made(root / "data", images=images, val_images=2, size=(64, 64))
    (root / ".data.lock").unlink()
    (root / "tiny.yaml").write_text(EXPERIMENT)
    return root


def copied(original: pathlib.Path, root: pathlib.Path) -> pathlib.Path:
    """A copy that a test may spoil."""
    shutil.copytree(original, root, symlinks=True)
    return root


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mistake:
    """One thing that a user does wrong, and what he must be told.

    Attributes:
        says: what the message must have in it.
        prepare: makes the mistake in the files.
        edit: text of the experiment, and what stands in its place.
        arguments: of the command, behind the experiment's name.
    """

    says: tuple[str, ...]
    prepare: Callable[[Place], object] = lambda place: None
    edit: tuple[str, str] = ("", "")
    arguments: tuple[str, ...] = ()

    def make(self, place: Place) -> None:
        """Make the mistake in the files."""
        if self.edit[0]:
            place.edit(*self.edit)
        self.prepare(place)


def says(*words: str, **mistake: Any) -> Mistake:
    """A mistake by what must be said of it."""
    return Mistake(says=words, **mistake)


def written(name: str, content: str | bytes) -> Callable[[Place], object]:
    """Writes a file."""
    return lambda place: (place.root / name).write_bytes(content.encode() if isinstance(content, str) else content)


def saving(content: object, name: str = "w.pth") -> Callable[[Place], object]:
    """Saves something with torch."""
    return lambda place: torch.save(content, place.root / name)


def halved(name: str) -> Callable[[Place], object]:
    """Cuts a file of the run in half."""
    return lambda place: written(name, (place.root / name).read_bytes()[: (place.root / name).stat().st_size // 2])(
        place
    )


def assert_refused(place: Place, *command: str, words: tuple[str, ...], parts: tuple[str, ...] = PARTS) -> str:
    """Run a command: it ends with 2 and one clear message, which is returned, and leaves every file as it was."""
    before = place.files()
    code, out, err = place.run(*command)
    text = out if command[0] == "check" else err
    assert code == 2, f"{code}\n{out}\n{err}"
    assert "Traceback" not in out + err
    for word in (*words, *parts):
        assert word in text, f"{word!r} is not in:\n{text}"
    assert place.files() == before, "something was written"
    return text
