"""The XML file of one image, as Pascal VOC has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree


def write_xml(
    path: Path, folder: str, image: dict[str, Any], entries: list[dict[str, Any]], classes: tuple[str, ...]
) -> None:
    """Write the boxes of `entries` (of a COCO file) as corners that count from 1; `folder` is the image's."""
    top = ElementTree.Element("annotation")
    ElementTree.SubElement(top, "folder").text = folder
    size = ElementTree.SubElement(top, "size")
    for name in ("width", "height"):
        ElementTree.SubElement(size, name).text = str(image[name])
    for entry in entries:
        x, y, width, height = (int(number) for number in entry["bbox"])
        corners = {"xmin": x + 1, "ymin": y + 1, "xmax": x + width, "ymax": y + height}
        item = ElementTree.SubElement(top, "object")
        ElementTree.SubElement(item, "name").text = classes[entry["category_id"] - 1]
        ElementTree.SubElement(item, "difficult").text = "0"
        box = ElementTree.SubElement(item, "bndbox")
        for name, number in corners.items():
            ElementTree.SubElement(box, name).text = str(number)
    ElementTree.ElementTree(top).write(path)
