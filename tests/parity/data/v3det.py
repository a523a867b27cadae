"""V3Det: COCO's form with 13,204 classes, whose names stand in a file beside the annotations."""

from __future__ import annotations

from pathlib import Path

from tests.parity.data.made_data import Made, Node, stored, write_parts

NAMES = "annotations/category_name_13204_v3det_2023_v1.txt"  # where V3DetDataset looks for them
CLASSES = tuple(f"made {number:05d}" for number in range(1, 13205))


def v3det(node: Node, root: Path, part: str) -> Made:
    """V3DetDataset."""
    folder = stored(root, "v3det", CLASSES, _fill)
    ann_file = str(folder / f"{part}.json")
    keys = {"ann_file": ann_file, "data_prefix.img": str(folder / part)}
    return Made(folder=folder, dataset=keys, evaluators={"": {"ann_file": ann_file}})


def _fill(folder: Path) -> None:
    write_parts(folder, CLASSES)
    (folder / NAMES).parent.mkdir()
    (folder / NAMES).write_text("".join(f"{name}\n" for name in CLASSES))
