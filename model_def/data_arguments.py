"""The arguments of the commands of `data`."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path

BUILT = ("quickstart", "digits")
MOVED = ("coco", "put", "check", "cache")


def built(parser: ArgumentParser) -> None:
    """Of `data NAME`. The others have arguments of their own, if their name comes first."""
    parser.add_argument("name", choices=(*BUILT, *MOVED), help="quickstart: trees from above; digits: handwritten ones")
    parser.add_argument("--root", metavar="DIR", type=Path, help="default: data/NAME")


def coco(parser: ArgumentParser) -> None:
    """Of `data coco`."""
    splits, to = ("train", "val", "test", "unlabeled"), "DIR|s3://…|gs://…"
    parser.add_argument("--to", metavar=to, required=True, help="data/coco is where mmdet's configs look")
    parser.add_argument("--year", type=int, choices=(2014, 2017), default=2017, help="default: 2017")
    parser.add_argument("--split", action="append", choices=splits, help="may be given again; default: train and val")
    parser.add_argument("--panoptic", action="store_true", help="with panoptic annotations and their maps")
    parser.add_argument("--stuff", action="store_true", help="with stuff annotations and stuffthingmaps")
    parser.add_argument(
        "--from",
        dest="base",
        metavar="URL|DIR",
        default=os.environ.get("COCO_URL", ""),
        help="a mirror, or a folder with COCO's zips; default: $COCO_URL, else COCO's own server",
    )
    _store(parser)


def put(parser: ArgumentParser) -> None:
    """Of `data put`."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="all files below it are uploaded")
    parser.add_argument("to", metavar="s3://…|gs://…", help="a bucket and a prefix")
    _store(parser)


def missing(parser: ArgumentParser) -> None:
    """Of `data check` and `data cache`, beside the experiment."""
    file = "missing-files.txt"
    help_ = f"where many missing files are named; default: {file}"
    parser.add_argument("--missing", metavar="FILE", type=Path, default=Path(file), help=help_)


def _store(parser: ArgumentParser) -> None:
    parser.add_argument("--threads", metavar="N", type=_threads, default=16, help="transfers at a time; default: 16")
    parser.add_argument("--endpoint-url", metavar="URL", default="", help="of a server of objects of your own")


def _threads(text: str) -> int:
    threads = int(text)
    if not 1 <= threads <= 256:
        raise ValueError(text)
    return threads


_threads.__name__ = "number from 1 to 256"  # argparse puts it into its message
