"""What a COCO annotation file says, read once and kept small."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import json
from pathlib import Path
from typing import Any

from model_def.errors import DataError
from model_def.garbage import uncollected

NEEDED = ("id", "image_id", "category_id", "bbox", "area")  # of each annotation
OURS = ("quickstart", "digits")  # what `python -m model_def data` builds, in data/
SHAPE = 'a COCO file: {"images": [...], "annotations": [...], "categories": [{"id": 1, "name": "..."}]}'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Image:
    """One image of an annotation file. `boxes` counts its annotations by category id."""

    file_name: str
    width: int | None
    height: int | None
    boxes: dict[int, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Annotations:
    """A COCO file's contents.

    Attributes:
        categories: name by id, in the file's order, which is the order of mmdet's labels.
        images: in the file's order.
        mistake: what the first annotation lacks that mmdet and pycocotools need, or "".
        things: the names of categories with objects; panoptic files have others (`isthing: 0`).
    """

    categories: dict[int, str]
    images: tuple[Image, ...]
    mistake: str = ""
    things: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the categories in the file's order."""
        return tuple(self.categories.values())

    def count(self, name: str) -> int:
        """How many annotations have that category."""
        ids = [key for key, value in self.categories.items() if value == name]
        return sum(image.boxes.get(key, 0) for image in self.images for key in ids)


def read_coco(path: Path, where: str) -> Annotations:
    """What the file at `path` says; the last few files are remembered until they change.

    Raises:
        DataError: it is missing, can't be read, isn't JSON or isn't COCO.
    """
    try:
        stat = path.stat()
        return _read(path, stat.st_mtime_ns, stat.st_size)
    except FileNotFoundError as error:
        what = "the annotation file is missing"
        raise DataError(what=what, value=str(path), where=where, allowed=SHAPE, next=look_for(path)) from error
    except OSError as error:
        what = f"the annotation file can't be read ({error.strerror})"
        raise DataError(what=what, value=str(path), where=where, allowed=SHAPE, next=f"ls -l {path}") from error
    except json.JSONDecodeError as error:
        what = f"the annotation file isn't JSON: {error.msg}"
        place = f"{path}:{error.lineno}:{error.colno}, from {where}"
        raise DataError(what=what, value=path.name, where=place, allowed=SHAPE, next="write the file again") from error
    except UnicodeDecodeError as error:
        what = "the annotation file isn't JSON: it isn't text"
        raise DataError(what=what, value=str(path), where=where, allowed=SHAPE, next="write the file again") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"the annotation file isn't COCO: {_reason(error)}"
        raise DataError(what=what, value=str(path), where=where, allowed=SHAPE, next="convert it to COCO") from error


@functools.lru_cache(maxsize=4)
def _read(path: Path, _modified: int, _size: int) -> Annotations:
    with uncollected():
        data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        raise TypeError(f"it holds a {type(data).__name__}, not a mapping")
    boxes: dict[Any, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    for annotation in data["annotations"]:
        boxes[annotation["image_id"]][annotation.get("category_id")] += 1
    mistakes = (f"annotation {index} {_lack(entry)}" for index, entry in enumerate(data["annotations"]) if _lack(entry))
    return Annotations(
        categories={category["id"]: str(category["name"]) for category in data["categories"]},
        images=tuple(_image(image, boxes[image["id"]]) for image in data["images"]),
        mistake=next(mistakes, ""),
        things=tuple(str(category["name"]) for category in data["categories"] if category.get("isthing", 1)),
    )


def _lack(annotation: dict[str, Any]) -> str:
    """What is wrong with one annotation, or ""."""
    absent = [name for name in NEEDED if name not in annotation]
    if absent:
        return f"has no {', '.join(map(repr, absent))}"
    box = annotation["bbox"]
    whole = isinstance(box, list) and len(box) == 4 and all(isinstance(side, int | float) for side in box)
    return "" if whole else f"has no box of four numbers (x, y, width, height), but {box!r}"


def _image(image: dict[str, Any], boxes: collections.Counter[int]) -> Image:
    name = image["file_name"] if "file_name" in image else image["coco_url"].rsplit("/", 1)[-1]
    return Image(file_name=name, width=image.get("width"), height=image.get("height"), boxes=dict(boxes))


def _reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def look_for(path: Path) -> str:
    """The next command for a file or folder of a data set that isn't there."""
    for name in OURS:
        if ("data", name) in itertools.pairwise(path.parts):
            return f"python -m model_def data {name}"
    if ("data", "coco") in itertools.pairwise(path.parts):
        return "python -m model_def data coco --to data/coco"
    folder = next((parent for parent in path.parents if parent.is_dir()), Path())
    return f"ls {folder}"
