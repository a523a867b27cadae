"""D³, pictures described by sentences: COCO's form in which each sentence is a class, and pickles that link them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from tests.parity.data.made_data import Made, Node, stored, write_parts

# Its metric tells apart sentences of up to 3, 6, 9 and more words, and wants some of each.
SENTENCES = (
    "a shape",
    "a shape of one colour",
    "a shape that lies on the coloured noise",
    "a shape that somebody has drawn on the noise of this picture",
)
GROUP = 1  # of pictures and sentences: here it is all of them


def dod(node: Node, root: Path, part: str) -> Made:
    """DODDataset."""
    folder = stored(root, "dod", SENTENCES, _fill)
    ann_file = str(folder / f"{part}.json")
    keys = {"ann_file": ann_file, "data_prefix.img": str(folder / part), "data_prefix.anno": str(folder / f"{part}_d3")}
    return Made(folder=folder, dataset=keys, evaluators={"": {"ann_file": ann_file}})


def _fill(folder: Path) -> None:
    for part, content in write_parts(folder, SENTENCES).items():
        (folder / f"{part}_d3").mkdir()
        for name, entries in _tables(content).items():
            (folder / f"{part}_d3" / f"{name}.pkl").write_bytes(pickle.dumps(entries))


def _tables(content: dict[str, Any]) -> dict[str, dict[int, dict[str, Any]]]:
    """What D³'s own package reads: tables whose rows name rows of the others."""
    objects, sentences = content["annotations"], dict(enumerate(SENTENCES, start=1))
    images = {image["id"]: {**image, **_linked(objects, "image_id", image["id"])} for image in content["images"]}
    texts = {number: {"id": number, "raw_sent": text} for number, text in sentences.items()}
    return {
        "images": {number: {**image, "group_id": GROUP} for number, image in images.items()},
        "annotations": {each["id"]: {**each, "group_id": GROUP, "sent_id": [each["category_id"]]} for each in objects},
        "sentences": {
            number: {**text, "group_id": [GROUP], **_linked(objects, "category_id", number)}
            for number, text in texts.items()
        },
        "groups": {GROUP: {"inner_sent_id": [*sentences], "img_id": [*images]}},
    }


def _linked(objects: list[dict[str, Any]], key: str, value: int) -> dict[str, list[int]]:
    return {"anno_id": [each["id"] for each in objects if each[key] == value]}
