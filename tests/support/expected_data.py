"""Made data at the places where the shipped experiments expect theirs."""

from __future__ import annotations

from pathlib import Path

from model_def.datasets import made
from tests.parity.data.kinds import MAKERS
from tests.support.commands import REPO


def expected_data(context: Path, store: Path) -> None:
    """Fill `context`, the directory to train in: `data/…`, and links to the project's experiments and layers.

    Args:
        store: where COCO's and LVIS' made data is kept; the context has links to it.
    """
    for name in ("experiments", "merge_configs"):
        (context / name).symlink_to(REPO / name)
    for name, links in {"coco": _coco(store), "lvis_v1": _lvis(store)}.items():
        for link, target in links.items():
            (context / "data" / name / link).parent.mkdir(parents=True, exist_ok=True)
            (context / "data" / name / link).symlink_to(target)
    sizes = {"images": 4, "val_images": 2, "size": (96, 96)}
    made(context / "data/quickstart", **sizes, classes=["tree"])
    made(context / "data/digits", **sizes, classes=list("0123456789"))
    made(context / "data/birds", **sizes, classes=["heron", "gull"])


def _coco(store: Path) -> dict[str, Path]:
    folder = MAKERS["CocoPanopticDataset"]({"type": "CocoPanopticDataset"}, store, "train").folder
    links = {}
    for part in ("train", "val"):
        links[f"{part}2017"] = folder / part
        links[f"annotations/instances_{part}2017.json"] = folder / f"{part}.json"
        links[f"annotations/panoptic_{part}2017.json"] = folder / f"panoptic_{part}.json"
        links[f"annotations/panoptic_{part}2017"] = folder / f"panoptic_{part}"
    for part in ("", "-unlabeled"):  # mmdet's tools/misc/split_coco.py leaves the objects in the latter
        links[f"semi_anns/instances_train2017.1@10{part}.json"] = folder / "train.json"
    return links


def _lvis(store: Path) -> dict[str, Path]:
    folder = MAKERS["LVISV1Dataset"]({"type": "LVISV1Dataset"}, store, "train").folder
    links = {part: folder / part for part in ("train", "val")}  # COCO's train2017 and val2017
    return links | {f"annotations/lvis_v1_{part}.json": folder / f"{part}.json" for part in ("train", "val")}
