"""Scenes of real handwritten digits, from scikit-learn: a small data set with ten classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_def.datasets.coco import Picture, Split, write_split
from model_def.datasets.complete import DataSet, build_once
from model_def.errors import UserError

VERSION = 1  # of what this file makes; a new number rebuilds the data set
ROOT = Path("data/digits")
CLASSES = tuple("0123456789")
SCENE = 160
HEIGHTS = (24, 48)  # of a digit, in pixels
DIGITS_A_SCENE = (3, 8)

# The samples come in the order of collection, so that the last ones are mostly by other hands than the first ones.
HANDWRITINGS = {"train": range(1400), "val": range(1400, 1797)}

_SOURCE = """\
# Handwritten digits

Scenes of {scene} x {scene} pixels with real handwritten digits: scikit-learn's `load_digits`, which is the test part of
E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository, 1998
(https://archive.ics.uci.edu/dataset/80), licence CC BY 4.0.

What was done: digits were cut to their ink, enlarged, and laid on a grey ground with noise, without overlap, at random
from seed {seed}. Samples {train} are in the training part, {val} in the validation part; `handwritings` of each
image in the JSON files names them.
"""


def digits(root: Path = ROOT, *, images: int = 400, val_images: int = 80, seed: int = 0) -> DataSet:
    """Build the digit data set at `root`: `train.json`, `val.json`, `train/`, `val/` and `SOURCE.md`.

    Args:
        images: scenes to train on.
        val_images: scenes to validate on; their handwritings are in no training scene.
        seed: the same seed gives the same scenes.

    Raises:
        UserError: scikit-learn isn't installed.
        DataError: `root` holds something else.
        OutputError: `root` can't be written.
    """
    counts = {"train": images, "val": val_images}
    settings = {"name": "digits", "version": VERSION, "seed": seed, "images": counts}

    def fill(folder: Path) -> dict[str, Split]:
        glyphs, labels = _load()
        _write_source(folder, seed)
        return {
            name: write_split(
                folder,
                ann_file=f"{name}.json",
                img_prefix=name,
                pictures=_scenes(glyphs, labels, part, count=counts[name], seed=seed),
                classes=CLASSES,
            )
            for name, part in HANDWRITINGS.items()
        }

    return build_once(root, settings=settings, classes=CLASSES, fill=fill)


def _load() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """1797 digits: (1797, 8, 8) ink from 0 to 16, and (1797,) labels."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise UserError(
            what="the digits come with scikit-learn, which isn't installed",
            next='pip install "determined-mmdet[digits]"',
        ) from error
    bunch = load_digits()
    return bunch.images, bunch.target


def _scenes(
    glyphs: NDArray[np.float64], labels: NDArray[np.int64], handwritings: range, *, count: int, seed: int
) -> Iterator[Picture]:
    rng = np.random.default_rng((seed, handwritings.start))
    for _ in range(count):
        chosen = rng.choice(handwritings, size=rng.integers(*DIGITS_A_SCENE, endpoint=True), replace=False)
        inks = {int(i): enlarge(glyphs[i], int(rng.integers(*HEIGHTS, endpoint=True))) for i in chosen}
        yield _scene(inks, labels, rng)


def _scene(inks: dict[int, NDArray[np.float64]], labels: NDArray[np.int64], rng: np.random.Generator) -> Picture:
    """One picture: brighter ink on a grey ground, then noise over all of it. A digit that finds no room is left out."""
    scene = np.full((SCENE, SCENE), rng.uniform(70, 130))
    placed: dict[int, tuple[int, int, int, int]] = {}
    for handwriting, ink in inks.items():
        box = _free_place(ink.shape, list(placed.values()), rng)
        if box is not None:
            x1, y1, x2, y2 = box
            scene[y1:y2, x1:x2] += rng.uniform(60, 110) * ink
            placed[handwriting] = box
    scene += rng.normal(0, 8, scene.shape)
    grey = np.clip(scene, 0, 255).astype(np.uint8)
    return Picture(
        pixels=np.repeat(grey[..., None], 3, axis=2),
        boxes=np.array(list(placed.values()), dtype=float),
        labels=[int(labels[handwriting]) for handwriting in placed],
        source={"handwritings": list(placed)},
    )


def enlarge(glyph: NDArray[np.float64], height: int) -> NDArray[np.float64]:
    """The ink of one digit, (8, 8) from 0 to 16, cut to its bounds and enlarged: (height, width) from 0 to 1."""
    rows, columns = np.nonzero(glyph >= 3)
    cut = glyph[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] / 16
    width = round(height * cut.shape[1] / cut.shape[0])
    large = Image.fromarray(cut.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    ink: NDArray[np.float64] = np.clip(np.asarray(large, dtype=float), 0, 1)
    return ink


def _free_place(
    shape: tuple[int, ...], taken: list[tuple[int, int, int, int]], rng: np.random.Generator, *, tries: int = 50
) -> tuple[int, int, int, int] | None:
    """A box x1, y1, x2, y2 of `shape` that is clear of all `taken` by a pixel; None if it wasn't found soon."""
    height, width = shape
    for _ in range(tries):
        x, y = (int(rng.integers(0, SCENE - side, endpoint=True)) for side in (width, height))
        if all(x + width < x1 or x2 < x or y + height < y1 or y2 < y for x1, y1, x2, y2 in taken):
            return x, y, x + width, y + height
    return None


def _write_source(folder: Path, seed: int) -> None:
    numbers = {name: f"{part.start} to {part.stop - 1}" for name, part in HANDWRITINGS.items()}
    (folder / "SOURCE.md").write_text(_SOURCE.format(scene=SCENE, seed=seed, **numbers))
