"""MOT Challenge and YouTube-VIS: videos in COCO's form, whose objects keep their number from frame to frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model_def.datasets.coco import Picture, polygon_area
from model_def.datasets.made import draw_picture
from tests.parity.data.made_data import Made, Node, class_names, stored, write_json
from tests.parity.data.pictures import MOST_OBJECTS, SIZES, stride

PAN = 6  # pixels that the camera moves from frame to frame
TRACKED = {"visibility": 1.0, "mot_conf": 1.0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Length:
    """How many videos a part has, and how many frames each of them."""

    videos: int
    frames: int


# MOT's sampler deals frames, YouTube-VIS' deals videos.
MOT = {"train": Length(videos=2, frames=4), "val": Length(videos=2, frames=3)}
VIS = {"train": Length(videos=8, frames=3), "val": Length(videos=2, frames=3)}


def mot(node: Node, root: Path, part: str) -> Made:
    """MOTChallengeDataset."""
    return _made(stored(root, "mot", class_names(node), lambda folder: _fill(folder, class_names(node), MOT)), part)


def youtube_vis(node: Node, root: Path, part: str) -> Made:
    """YouTubeVISDataset, whose classes go by its version."""
    from mmdet.datasets import YouTubeVISDataset  # here: it takes seconds

    YouTubeVISDataset.set_dataset_classes(node["dataset_version"])
    classes = class_names(node)
    return _made(stored(root, "vis", classes, lambda folder: _fill(folder, classes, VIS)), part)


def _made(folder: Path, part: str) -> Made:
    return Made(
        folder=folder, dataset={"ann_file": str(folder / f"{part}.json"), "data_prefix.img_path": str(folder / part)}
    )


def _fill(folder: Path, classes: tuple[str, ...], lengths: dict[str, Length]) -> None:
    for seed, (part, length) in enumerate(lengths.items()):
        rng = np.random.default_rng(seed)
        content: dict[str, Any] = {"videos": [], "images": [], "annotations": []}
        content["categories"] = [{"id": number, "name": name} for number, name in enumerate(classes, 1)]
        for index in range(length.videos):
            _video(content, folder / part, f"video{index + 1}", _scene(index, classes, length, rng), length)
        write_json(folder / f"{part}.json", content)


def _scene(index: int, classes: tuple[str, ...], length: Length, rng: np.random.Generator) -> Picture:
    """What the camera moves over: a picture a bit wider than its frames."""
    width, height = SIZES[index % len(SIZES)]
    first, count = index * MOST_OBJECTS, int(rng.integers(1, MOST_OBJECTS, endpoint=True))
    labels = [(first + offset) * stride(len(classes)) % len(classes) for offset in range(count)]
    return draw_picture((width + PAN * (length.frames - 1), height), labels, rng, masks=True)


def _video(content: dict[str, Any], folder: Path, name: str, scene: Picture, length: Length) -> None:
    """Write a video's frames to `folder/name/img1`, and what is in them to `content`."""
    video, known = len(content["videos"]) + 1, len({entry["instance_id"] for entry in content["annotations"]})
    height, width = scene.pixels.shape[0], scene.pixels.shape[1] - PAN * (length.frames - 1)
    content["videos"].append({"id": video, "name": name, "width": width, "height": height})
    (folder / name / "img1").mkdir(parents=True)
    for frame in range(length.frames):
        place = f"{name}/img1/{frame + 1:06d}.png"
        number = len(content["images"]) + 1
        image = {"id": number, "file_name": place, "width": width, "height": height, "video_id": video}
        content["images"].append(image | {"frame_id": frame, "mot_frame_id": frame + 1})
        Image.fromarray(scene.pixels[:, frame * PAN : frame * PAN + width]).save(folder / place)
        for offset, entry in enumerate(_seen(scene, frame * PAN, width), start=1):
            ids = {"id": len(content["annotations"]) + 1, "image_id": number, "video_id": video}
            content["annotations"].append({**ids, "instance_id": known + offset, **entry, **TRACKED})


def _seen(scene: Picture, left: int, width: int) -> Iterator[dict[str, Any]]:
    """What a frame shows of each object; objects are wider than the camera's whole way, so none is lost."""
    for label, outline in zip(scene.labels, scene.polygons, strict=True):
        points = np.asarray(outline).reshape(-1, 2)
        points = np.stack([(points[:, 0] - left).clip(0, width), points[:, 1]], axis=1)
        (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
        flat = [float(number) for number in points.ravel()]
        box = [float(number) for number in (x1, y1, x2 - x1, y2 - y1)]
        shape = {"bbox": box, "segmentation": [flat], "area": polygon_area(flat)}
        yield {"category_id": int(label) + 1, "iscrowd": 0, **shape}
