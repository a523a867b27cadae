"""Videos for a first step where the real ones are not there: random frames, whose objects are the same in each."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from mmdet.structures import TrackDataSample
from mmengine.registry import DATASETS
from torch.utils.data import Dataset

from model_def.random_images import RandomImages


@DATASETS.register_module()
class RandomVideos(Dataset[dict[str, Any]]):
    """Videos as a pipeline packs them: `{inputs: uint8 (T, 3, H, W), data_samples: a TrackDataSample of T frames}`.

    Args:
        frames: T. The first one is the key frame, the others are its references.
        images: the arguments of `RandomImages`.
    """

    metainfo: ClassVar[dict[str, Any]] = {}

    def __init__(self, *, frames: int, **images: Any) -> None:
        self._frames, self._images = range(frames), RandomImages(**images)

    def __len__(self) -> int:
        return len(self._images)

    def full_init(self) -> None:
        """mmengine calls this before training."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        frames = [self._images[index + frame] for frame in self._frames]
        video = TrackDataSample(video_data_samples=[frame["data_samples"] for frame in frames])
        video.set_metainfo({"key_frames_inds": [0], "ref_frames_inds": [*self._frames[1:]]})
        for number in self._frames:
            objects = video[number].gt_instances
            objects.bboxes = objects.bboxes.tensor
            objects.instances_ids = torch.arange(len(objects))
            video[number].set_metainfo({"frame_id": number, "video_id": index, "ori_video_length": len(self._frames)})
        return {"inputs": torch.stack([frame["inputs"] for frame in frames]), "data_samples": video}
