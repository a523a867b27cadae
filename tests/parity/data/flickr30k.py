"""Flickr30k Entities: sentences whose phrases are objects."""

from __future__ import annotations

from pathlib import Path

from tests.parity.data.made_data import Made, Node, objects, stored, write_json, write_parts
from tests.parity.data.sentences import SHAPES, sentence


def flickr30k(node: Node, root: Path, part: str) -> Made:
    """Flickr30kDataset: a sentence, and the objects that each of its phrases means."""
    folder = stored(root, "flickr30k", SHAPES, _fill)
    return Made(
        folder=folder, dataset={"ann_file": str(folder / f"{part}.json"), "data_prefix.img": str(folder / part)}
    )


def _fill(folder: Path) -> None:
    for part, content in write_parts(folder, SHAPES).items():
        for image, entries in objects(content):
            image["caption"], spans = sentence(entries)
            image["tokens_positive_eval"] = [[span] for span in spans]
            for index, entry in enumerate(entries):
                entry["phrase_ids"] = index
        write_json(folder / f"{part}.json", content)
