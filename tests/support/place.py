"""A context directory of one's own: made data, a small experiment, and the commands run in it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from model_def import cli
from model_def.datasets import made

# Fixed text, so that a test can name the line and column that a message must point to.
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
searcher:
  name: single
  metric: bbox_mAP
  smaller_is_better: false
scheduling_unit: 1
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """The directory, which is the current one, and what was printed so far.

    Attributes:
        root: holds `tiny.yaml` and `data/`.
        capture: pytest's.
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
        out, err = self.capture.readouterr()
        return code, out, err

    def files(self) -> dict[str, bytes]:
        """Everything below the directory: what each file holds, nothing for a folder."""
        paths = (path for path in self.root.rglob("*") if path.is_dir() or path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() if path.is_file() else b"" for path in paths}

    def experiment(self, old: str = "", new: str = "", *, name: str = "tiny.yaml") -> str:
        """Write the experiment with `old` replaced by `new`; returns its name."""
        assert old in EXPERIMENT
        (self.root / name).write_text(EXPERIMENT.replace(old, new, 1))
        return name

    def annotations(self, change: Callable[[dict[str, Any]], Any], split: str = "train") -> None:
        """Change what an annotation file holds: in place, or by what `change` returns."""
        path = self.root / "data" / f"{split}.json"
        content = json.loads(path.read_text())
        changed = change(content)
        path.write_text(json.dumps(content if changed is None else changed))

    def image(self, index: int, split: str = "train") -> pathlib.Path:
        """The file of an image."""
        content = json.loads((self.root / "data" / f"{split}.json").read_text())
        return self.root / "data" / split / content["images"][index]["file_name"]


def build(root: pathlib.Path) -> pathlib.Path:
    """The directory that each place is a copy of."""
    made(root / "data", images=4, val_images=2, size=(64, 64))
    (root / "tiny.yaml").write_text(EXPERIMENT)
    return root


def copied(original: pathlib.Path, root: pathlib.Path) -> pathlib.Path:
    """A copy that a test may spoil."""
    shutil.copytree(original, root, symlinks=True, dirs_exist_ok=True)
    return root
