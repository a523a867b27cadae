"""Made images in the place of real ones: an experiment's steps can be tried where its images are not."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from mmengine.fileio import LocalBackend

from model_def.errors import ConfigError
from model_def.storage.address import is_remote
from model_def.storage.client import Refused
from model_def.storage.options import Options

SIZE = (640, 480)
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
# A PNG of such a name is a map of labels, not a picture.
MAPS = ("panoptic", "seg", "mask", "label", "stuffthing", "annotation", "gtfine")
VARIANTS = 16


class FakeBackend(LocalBackend):
    """Serves an image for every path that names one. All else, annotation files above all, is read from the disk.

    The same path gives the same image in every process. Maps of labels are 0 everywhere: any model has a class 0.

    Args:
        size: width and height in pixels.
        backend_args: `Options` of a store, so that `backend` alone can be changed; they have no effect here.
    """

    def __init__(self, *, size: tuple[int, int] = SIZE, **backend_args: Any) -> None:
        if len(size) != 2 or not all(isinstance(side, int) and 0 < side < 1 << 15 for side in size):
            raise ConfigError(
                what="not the size of an image",
                value=size,
                where="backend_args.size",
                allowed="width and height in pixels: [640, 480]",
            )
        self.options = Options.of(backend_args)
        self.size = (size[0], size[1])
        self._made: dict[tuple[str, int], bytes] = {}

    def get(self, filepath: str | Path) -> bytes:
        """The image that `filepath` stands for, or the local file.

        Raises:
            Refused: an object of a store that is no image.
        """
        path = PurePosixPath(str(filepath))
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            return bytes(super().get(_local(filepath)))
        is_map = suffix == ".png" and any(word in str(path).lower() for word in MAPS)
        variant = -1 if is_map else hashlib.blake2b(str(path).encode()).digest()[0] % VARIANTS
        if (suffix, variant) not in self._made:
            self._made[suffix, variant] = _encoded(_pixels(self.size, variant), suffix)
        return self._made[suffix, variant]

    def get_text(self, filepath: str | Path, encoding: str = "utf-8") -> str:
        """The text of a local file."""
        return str(super().get_text(_local(filepath), encoding))

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a local file."""
        super().put(obj, _local(filepath))

    def exists(self, filepath: str | Path) -> bool:
        """Whether `filepath` names an image, or something local."""
        return _is_image(filepath) or bool(super().exists(filepath))

    def isfile(self, filepath: str | Path) -> bool:
        """Whether `filepath` names an image, or a local file."""
        return _is_image(filepath) or bool(super().isfile(filepath))

    @contextlib.contextmanager
    def get_local_path(self, filepath: str | Path) -> Iterator[str]:
        """A temporary file with the image, or the local file itself."""
        if not _is_image(filepath):
            yield str(_local(filepath))
            return
        with tempfile.NamedTemporaryFile(suffix=PurePosixPath(str(filepath)).suffix) as file:
            file.write(self.get(filepath))
            file.flush()
            yield file.name


def _is_image(path: str | Path) -> bool:
    return PurePosixPath(str(path)).suffix.lower() in SUFFIXES


def _local(path: str | Path) -> str | Path:
    if is_remote(path):
        raise Refused(f"`fake` makes images only; annotation files must be on the local disk: {path}", url=str(path))
    return path


def _pixels(size: tuple[int, int], variant: int) -> np.ndarray[Any, Any]:
    """Soft colours with some boxes, (height, width, 3); a map (variant -1) is (height, width) of zeros."""
    width, height = size
    if variant < 0:
        return np.zeros((height, width), np.uint8)
    random = np.random.default_rng(variant)
    coarse = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    for corners, colour in zip(random.random((6, 2, 2)), random.integers(0, 256, (6, 3)), strict=True):
        first, second = ((int(x * width), int(y * height)) for x, y in corners)
        cv2.rectangle(image, first, second, [int(part) for part in colour], thickness=-1)
    return image


def _encoded(pixels: np.ndarray[Any, Any], suffix: str) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()
