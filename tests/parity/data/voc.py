"""Pascal VOC: an XML file for each image, and lists of images."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.parity.data.made_data import Made, Node, class_names, objects, stored, write_parts
from tests.parity.data.pictures import pictures
from tests.parity.data.xml_file import write_xml

LISTS = {"train": "trainval", "val": "test"}
SCALE = 2  # these configs ignore objects of less than 32 pixels while training


def voc(node: Node, root: Path, part: str) -> Made:
    """VOCDataset. It knows the year by the folder's name."""
    classes = class_names(node)
    year = str((node.get("data_prefix") or {}).get("sub_data_root", "VOC2007")).strip("/")
    folder = stored(root, year, classes, lambda folder: _fill(folder / year, classes, seed=int(year[3:])))
    lists = folder / year / "ImageSets/Main" / f"{LISTS[part]}.txt"
    return Made(folder=folder, dataset={"ann_file": str(lists), "data_prefix.sub_data_root": str(folder / year)})


def _fill(folder: Path, classes: tuple[str, ...], *, seed: int) -> None:
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    drawn = folder / "drawn"
    parts = write_parts(drawn, classes, lambda part: pictures(part, len(classes), seed=seed, scale=SCALE))
    for part, content in parts.items():
        names = []
        for image, entries in objects(content):
            names.append(f"{part}{image['id']:06d}")
            (drawn / part / image["file_name"]).rename(folder / "JPEGImages" / f"{names[-1]}.jpg")
            write_xml(folder / "Annotations" / f"{names[-1]}.xml", "JPEGImages", image, entries, classes)
        (folder / "ImageSets/Main" / f"{LISTS[part]}.txt").write_text("".join(f"{name}\n" for name in names))
    shutil.rmtree(drawn)
