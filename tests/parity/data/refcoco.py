"""References to objects, in the form of MDETR: RefCOCO, RefCOCO+, RefCOCOg, and gRefCOCO."""

from __future__ import annotations

from pathlib import Path

from tests.parity.data.made_data import Made, Node, objects, stored, write_json, write_parts
from tests.parity.data.sentences import SHAPES, sentence

REFERRED = ("refcoco+", "refcocog", "refcoco")  # data sets that one file of references may mix


def refcoco(node: Node, root: Path, part: str) -> Made:
    """MDETRStyleRefCocoDataset: a sentence about one object; in gRefCOCO about several objects or none."""
    name = Path(node["ann_file"]).stem
    source = "grefcoco" if "grefcoco" in name else next((key for key in REFERRED if f"_{key}_" in name), "refexp")
    folder = stored(root, source, SHAPES, lambda folder: _fill(folder, source))
    ann_file = str(folder / f"{part}.json")
    keys = {"ann_file": ann_file, "data_prefix.img": str(folder / part)}
    return Made(folder=folder, dataset=keys, evaluators={"": {"ann_file": ann_file}})


def _fill(folder: Path, source: str) -> None:
    for part, content in write_parts(folder, SHAPES).items():
        kept = []
        for image, entries in objects(content):
            chosen = entries if source == "grefcoco" else entries[:1]
            image |= {"caption": sentence(chosen)[0], "dataset_name": _dataset(source, image["id"])}
            if source == "grefcoco" and image["id"] == len(content["images"]):  # it speaks of what isn't there
                chosen = [{**chosen[0], "category_id": -1, "bbox": [0, 0, 0, 0]}]
            kept += chosen
        write_json(folder / f"{part}.json", content | {"annotations": kept})


def _dataset(source: str, image: int) -> str:
    return REFERRED[image % len(REFERRED)] if source == "refexp" else source
