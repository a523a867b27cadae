"""ImageNet in mmpretrain's form: images, and a list of them with a class each."""

from __future__ import annotations

from pathlib import Path

from tests.parity.data.made_data import Made, Node, stored, write_parts
from tests.parity.data.sentences import SHAPES


def imagenet(node: Node, root: Path, part: str) -> Made:
    """ImageNet: `split` says where the images and `meta/<split>.txt` are."""
    return Made(folder=stored(root, "imagenet", SHAPES, _fill), dataset={"split": part})


def _fill(folder: Path) -> None:
    (folder / "meta").mkdir()
    for part, content in write_parts(folder, SHAPES).items():
        lines = [f"{image['file_name']} {image['id']}\n" for image in content["images"]]
        (folder / "meta" / f"{part}.txt").write_text("".join(lines))
