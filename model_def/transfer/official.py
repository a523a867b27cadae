"""The archives of COCO: where they are, what is in them, and where mmdet's configs look for that."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

# A bucket: its certificate fits https://s3.amazonaws.com/images.cocodataset.org alone, which `--from` takes too.
HOME = "http://images.cocodataset.org"
STUFF = "http://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset"
SPLITS = {2014: ("train", "val", "test"), 2017: ("train", "val", "test", "unlabeled")}

# Bytes, as the server gives them. COCO publishes no checksums; each zip's own CRC-32s guard what is in it.
SIZES = {
    "train2017.zip": 19_336_861_798,
    "val2017.zip": 815_585_330,
    "test2017.zip": 6_646_970_404,
    "unlabeled2017.zip": 20_126_613_414,
    "annotations_trainval2017.zip": 252_907_541,
    "panoptic_annotations_trainval2017.zip": 860_725_834,
    "stuff_annotations_trainval2017.zip": 1_148_688_564,
    "train2014.zip": 13_510_573_713,
    "val2014.zip": 6_645_013_297,
    "test2014.zip": 6_660_437_059,
    "annotations_trainval2014.zip": 252_872_794,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Archive:
    """A zip of COCO's.

    Attributes:
        home, path: its URL in two parts. A mirror has the same path, or only the name.
        prefix: the folder of the data set that its files go to.
        wanted: beginnings of the names in it that are wanted.
        holds: the folder of the data set that it fills with images or maps, or "".
        named_by: the annotation file that names them.
    """

    home: str = HOME
    path: str
    prefix: str = ""
    wanted: tuple[str, ...]
    holds: str = ""
    named_by: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]

    def urls(self, base: str) -> list[str]:
        """Where it may be, below another base or else at home."""
        here = [f"{base.rstrip('/')}/{self.path}", f"{base.rstrip('/')}/{self.name}"]
        return here if base else [f"{self.home}/{self.path}"]


def archives(year: int, splits: Sequence[str], *, panoptic: bool, stuff: bool) -> Iterator[Archive]:
    """What makes these splits complete: the annotations first, which are small and say what has to be there."""
    labelled = [f"{split}{year}" for split in splits if split in ("train", "val")]
    kinds = ("instances", "person_keypoints", "captions")
    texts = [f"{kind}_{name}.json" for kind in kinds for name in labelled]
    if "unlabeled" in splits:  # its own annotation file needs the categories
        texts.append(f"instances_val{year}.json")
    if texts:
        yield _annotations(f"annotations_trainval{year}", texts)
    for split in splits:
        if split not in ("train", "val"):
            yield _annotations(f"image_info_{split}{year}", [f"image_info_{split}"])
    if panoptic and labelled:
        yield _annotations(f"panoptic_annotations_trainval{year}", [f"panoptic_{name}." for name in labelled])
    if stuff and labelled:
        yield _annotations(f"stuff_annotations_trainval{year}", [f"stuff_{name}.json" for name in labelled])
        yield Archive(
            home=STUFF,
            path=f"stuffthingmaps_trainval{year}.zip",
            prefix="stuffthingmaps/",
            wanted=tuple(f"{name}/" for name in labelled),
            holds="stuffthingmaps",
        )
    for split in splits:
        kind = "instances" if split in ("train", "val") else "image_info"
        yield Archive(
            path=f"zips/{split}{year}.zip",
            wanted=(f"{split}{year}/",),
            holds=f"{split}{year}",
            named_by=f"annotations/{kind}_{split}{year}.json",
        )


def _annotations(name: str, wanted: Sequence[str]) -> Archive:
    return Archive(path=f"annotations/{name}.zip", wanted=tuple(f"annotations/{one}" for one in wanted))
