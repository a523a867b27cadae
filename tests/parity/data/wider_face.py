"""WIDER FACE: Pascal VOC's XML files, among the images."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.parity.data.made_data import Made, Node, class_names, objects, stored, write_parts
from tests.parity.data.pictures import pictures
from tests.parity.data.xml_file import write_xml

SCALE = 2  # these configs ignore objects of less than 17 pixels while training


def wider_face(node: Node, root: Path, part: str) -> Made:
    """WIDERFaceDataset: the annotations lie among the images, which lie in a folder for each event."""
    classes = class_names(node)
    folder = stored(root, "widerface", classes, lambda folder: _fill(folder, classes))
    return Made(
        folder=folder,
        dataset={"ann_file": str(folder / f"{part}.txt"), "data_prefix.img": str(folder / f"WIDER_{part}")},
    )


def _fill(folder: Path, classes: tuple[str, ...]) -> None:
    event, drawn = "0--Parade", folder / "drawn"
    parts = write_parts(drawn, classes, lambda part: pictures(part, len(classes), scale=SCALE))
    for part, content in parts.items():
        place, names = folder / f"WIDER_{part}", []
        for name in (event, "Annotations"):
            (place / name).mkdir(parents=True)
        for image, entries in objects(content):
            names.append(f"{image['id']:06d}")
            (drawn / part / image["file_name"]).rename(place / event / f"{names[-1]}.jpg")
            write_xml(place / "Annotations" / f"{names[-1]}.xml", event, image, entries, classes)
        (folder / f"{part}.txt").write_text("".join(f"{name}\n" for name in names))
    shutil.rmtree(drawn)
