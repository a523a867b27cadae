"""Re-identification: pictures of persons, and lists that say who is who."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from model_def.datasets.made import draw_picture
from tests.parity.data.made_data import Made, Node, stored

SIZE = (32, 64)
# Persons, and pictures of each: the triplet sampler wants eight persons, the metric ranks the twenty nearest pictures.
PERSONS = {"train": (8, 2), "val": (6, 4)}


def reid(node: Node, root: Path, part: str) -> Made:
    """ReIDDataset."""
    folder = stored(root, "reid", (), _fill)
    return Made(
        folder=folder, dataset={"ann_file": str(folder / f"{part}.txt"), "data_prefix.img_path": str(folder / part)}
    )


def _fill(folder: Path) -> None:
    for seed, (part, (persons, count)) in enumerate(PERSONS.items()):
        rng, lines = np.random.default_rng(seed), []
        (folder / part).mkdir()
        for person in range(persons):
            for index in range(count):
                name = f"{person:04d}_{index:06d}.png"
                shown = draw_picture(SIZE, [person], rng, masks=False)
                Image.fromarray(shown.pixels).save(folder / part / name)
                lines.append(f"{name} {person}\n")
        (folder / f"{part}.txt").write_text("".join(lines))
