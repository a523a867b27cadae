"""Output directories: choose one, find an earlier one again."""

from __future__ import annotations

import dataclasses
import re
import time
import zipfile
from pathlib import Path

from model_def.errors import WeightsError

ROOT = Path("output")
STATE = ("metadata.json", "state_dict.pth", "trial_state.pkl")  # what a run needs to go on


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resume:
    """Where to go on from: a checkpoint's folder, or a file of stock mmengine; and the output directory to go on in.

    `output` is None for a new one.
    """

    checkpoint: Path
    output: Path | None


def new_output(name: str) -> Path:
    """`output/<name>/<time>`, not created. Characters that a shell would trip over become `-`."""
    return ROOT / _folder(name) / time.strftime("%Y%m%d-%H%M%S")


def find_resume(path: Path | None, *, name: str) -> Resume:
    """What `--resume [PATH]` means.

    An output directory goes on in place, and so does its latest checkpoint. Any other checkpoint starts a new output
    directory, since the old one's metrics run past it; so does a file of stock mmengine (`epoch_3.pth`). No path: the
    newest output directory of the experiment.

    Raises:
        WeightsError: there is nothing to go on from, or only a part of it.
    """
    if path is not None and path.is_file():
        return Resume(checkpoint=path.resolve(), output=None)
    output = path or newest_output(name, holding="checkpoints/latest")
    latest = output / "checkpoints" / "latest"
    if latest.is_symlink() and not latest.exists():
        from model_def.platform.run_directory import put_back_replaced  # imports torch: only where it is needed

        put_back_replaced(output)
    if latest.is_dir():
        return Resume(checkpoint=_whole(latest.resolve()), output=output)
    if not (output / "model.pth").is_file():
        raise WeightsError(
            what="there is no checkpoint to resume from",
            value=str(output),
            where=str(output.resolve()),
            allowed="an output directory with checkpoints/latest, one of the folders in checkpoints/, or "
            "mmengine's own epoch_N.pth or iter_N.pth",
            next="train without --resume",
        )
    checkpoint = _whole(output.resolve())
    is_latest = (checkpoint.parent / "latest").resolve() == checkpoint
    return Resume(checkpoint=checkpoint, output=checkpoint.parent.parent if is_latest else None)


def newest_output(name: str, *, holding: str) -> Path:
    """The newest output directory of an experiment that has the file or folder `holding`.

    Raises:
        WeightsError: there is none.
    """
    folder = ROOT / _folder(name)
    found = sorted(path.parents[holding.count("/")] for path in folder.glob(f"*/{holding}"))
    if not found:
        raise WeightsError(
            what=f"no output of the experiment {name!r} has a checkpoint",
            where=str(folder.resolve()),
            allowed="an experiment that was trained in this directory, with checkpoints/ in its output",
            next="train it first, or name its output directory",
        )
    return found[-1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """A trained model's `model.pth`, and where what is made with it belongs.

    Attributes:
        config: the `config.py` of its run; None: the file of the weights holds the config too.
        home: the run's directory, or the weights' folder.
    """

    weights: Path
    config: Path | None
    home: Path


def find_model(path: Path) -> Model:
    """The model of an output directory (its best checkpoint, else its latest), of a checkpoint's folder, or of a file.

    Raises:
        WeightsError: there is none.
    """
    if path.is_file():
        return Model(weights=path, config=None, home=path.parent)
    for folder in (path / "checkpoints" / "best", path / "checkpoints" / "latest", path):
        weights, config = folder / "model.pth", folder.resolve().parent.parent / "config.py"
        if weights.is_file():
            if config.is_file():
                return Model(weights=weights, config=config, home=config.parent)
            return Model(weights=weights, config=None, home=folder)
    raise WeightsError(
        what="there is no trained model",
        value=str(path),
        where=str(path.resolve()),
        allowed="an output directory with checkpoints/, one of its checkpoints, its model.pth, or the UUID of a "
        "cluster's checkpoint",
        next="ls output/*",
    )


def _whole(checkpoint: Path) -> Path:
    """The checkpoint, if all of it is there. Runs write one whole or not at all; what a copy lost shows here.

    Raises:
        WeightsError: a file is missing or cut off.
    """
    missing = [name for name in STATE if not (checkpoint / name).is_file()]
    broken = [name for name in STATE if name.endswith(".pth") and not zipfile.is_zipfile(checkpoint / name)]
    if missing or broken:
        raise WeightsError(
            what="this is not a whole checkpoint: " + (f"no {missing[0]}" if missing else f"{broken[0]} is broken"),
            value=checkpoint.name,
            where=str(checkpoint),
            allowed=f"a folder with {', '.join(STATE)}, as training wrote it",
            next="copy the folder again, or resume from another one in checkpoints/",
        )
    return checkpoint


def _folder(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "experiment"
