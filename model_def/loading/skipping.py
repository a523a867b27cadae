"""Loading images, of which some may be broken."""

from __future__ import annotations

import logging
from typing import Any

import cv2
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import TRANSFORMS
from mmengine.logging import print_log


@TRANSFORMS.register_module()
class LoadImageOrSkip(LoadImageFromFile):
    """mmcv's LoadImageFromFile; for a file that is no image the data set takes a random other sample, as it does where
    augmentation leaves nothing. Each is named once. One more than `max_broken` of them ends the training.

    Args:
        max_broken: how many different files may be broken, for each process that loads.
        kwargs: mmcv's.
    """

    def __init__(self, *, max_broken: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_broken = max_broken
        self._broken: set[str] = set()

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """The results with the image, or None.

        Raises:
            AssertionError, cv2.error: too many images are broken; it names the last.
        """
        try:
            loaded: dict[str, Any] | None = super().transform(results)
        except (AssertionError, cv2.error):  # mmcv's own words for bytes that can't be decoded
            name = results["img_path"]
            new = name not in self._broken
            self._broken.add(name)
            if len(self._broken) > self.max_broken:
                raise
            if new:
                count = f"{len(self._broken)} of at most {self.max_broken} in this process"
                message = f"a broken image is left out ({count}): {name}"
                print_log(message, logger="current", level=logging.WARNING)
            return None
        return loaded
