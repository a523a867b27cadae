"""Images: the folder is there, the files that the annotations name are in it, and a few of them are opened."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image as Picture
from PIL import UnidentifiedImageError

from model_def.annotations import look_for, read_coco
from model_def.checks.labels import is_coco, remaining
from model_def.checks.place import place_of, require_root
from model_def.compose.datasets import annotation_file, image_folder, is_local, local
from model_def.errors import DataError
from model_def.experiment_types import Experiment
from model_def.files import can_be_read, on_disk, storage_errors, store
from model_def.storage.address import is_remote

LOOKED_AT = 2000  # files whose existence is checked; a network disk answers slowly
OPENED = 20  # files that are opened
FETCHED = 16  # objects that are fetched from a store: about a second
NAMED = 5  # names in a message

T = TypeVar("T")


def check_images(dataset: dict[str, Any], place: str, experiment: Experiment) -> str:
    """Check the images of the innermost data set at the config path `place`; returns what was found, in one line.

    Raises:
        DataError: the folder or images are missing, or can't be opened.
    """
    name, where = image_folder(dataset), place_of(experiment, place, "img_prefix")
    if (dataset.get("backend_args") or {}).get("backend") == "fake":
        return "not looked at: the images are made"
    if is_remote(name):
        return _check_objects(name, dataset, place, experiment)
    if not is_local(name):
        return "not looked at: the images are not on this machine"
    require_root(dataset, place, experiment)
    folder = local(name, experiment.directory)
    if not folder.is_dir():
        what = "the image folder is missing" if not folder.exists() else "the image folder is a file"
        raise DataError(what=what, value=str(folder), where=where, allowed="a folder", next=look_for(folder))
    annotated = annotation_file(dataset)
    if not is_coco(dataset) or not is_local(annotated):
        return f"{folder} is there"
    annotations = read_coco(local(annotated, experiment.directory), place_of(experiment, place, "ann_file"))
    files = [folder / image.file_name for image in remaining(annotations, dataset)]
    _check_there(sample(files, LOOKED_AT), folder, where)
    left_out = _check_opens(
        [(str(file), file) for file in sample(files, OPENED)], where, _may_be_broken(place, experiment)
    )
    return f"{folder}: {min(len(files), LOOKED_AT)} of {len(files)} files are there{left_out}"


def _check_objects(folder: str, dataset: dict[str, Any], place: str, experiment: Experiment) -> str:
    """A few of the images in a store: `data check` looks at all of them."""
    annotated, backend_args = annotation_file(dataset), dataset.get("backend_args")
    where, listed = place_of(experiment, place, "img_prefix"), place_of(experiment, place, "ann_file")
    if not is_coco(dataset) or not can_be_read(annotated):
        return "not looked at: `data check` does"
    with on_disk(annotated, backend_args, context=experiment.directory, where=listed) as path:
        images = remaining(read_coco(path, listed), dataset)
    backend = store(folder, backend_args)
    files = [backend.join_path(folder, image.file_name) for image in sample(images, FETCHED)]
    with storage_errors(where, backend):
        backend.fetch_ahead(files)
        contents = [(file, io.BytesIO(backend.get(file))) for file in files]
    left_out = _check_opens(contents, where, _may_be_broken(place, experiment))
    return f"{folder}: {len(files)} of {len(images)} images were fetched and opened{left_out}"


def sample(items: list[T], count: int) -> list[T]:
    """At most `count` items: the first few, and others evenly from the rest."""
    if len(items) <= count:
        return items
    few = count // 4
    rest = items[few:]
    return items[:few] + [rest[index * len(rest) // (count - few)] for index in range(count - few)]


def _check_there(files: list[Path], folder: Path, where: str) -> None:
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise DataError(
            what=f"{len(missing)} of {len(files)} images that were looked for are missing",
            value=", ".join(file.relative_to(folder).as_posix() for file in missing[:NAMED]),
            where=f"{where}: {folder}",
            allowed="the `file_name` of every image, relative to `img_prefix`",
            next=f"ls {folder} | head",
        )


def _may_be_broken(place: str, experiment: Experiment) -> int | None:
    """How many images may be broken; None where training doesn't leave them out."""
    return experiment.hyperparameters.max_broken_images if place.startswith("train_dataloader") else None


def _check_opens(files: Sequence[tuple[str, Path | io.BytesIO]], where: str, most: int | None) -> str:
    """Open what each file has: itself, or bytes that were fetched. Says how many of `most` broken ones there are."""
    broken = list(_broken(files))
    if len(broken) > (most or 0):
        first = broken[0][0]
        raise DataError(
            what=f"{len(broken)} of {len(files)} images that were opened are broken",
            value=", ".join(f"{file.rpartition('/')[2]} ({reason})" for file, reason in broken[:NAMED]),
            where=f"{where}: {first.rpartition('/')[0]}",
            allowed="whole image files, such as JPEG or PNG",
            next=("upload it again" if is_remote(first) else f"ls -l {first}")
            + ("" if most is None else f"; `max_broken_images: {max(10, 2 * len(broken))}` leaves such images out"),
        )
    return f"; {len(broken)} broken, left out (max_broken_images: {most})" if broken else ""


def _broken(files: Sequence[tuple[str, Path | io.BytesIO]]) -> Iterator[tuple[str, str]]:
    for file, content in files:
        try:
            with Picture.open(content) as picture:
                picture.load()
        except UnidentifiedImageError:
            yield file, "not an image"
        except (OSError, SyntaxError, ValueError) as error:  # Pillow raises SyntaxError for a broken PNG
            yield file, str(error)
