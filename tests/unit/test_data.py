"""Naming files that can't be read."""

from __future__ import annotations

import pytest
import torch
from mmcv.transforms import LoadImageFromFile
from torch.utils.data import DataLoader, Dataset

from model_def.data import data_errors, readable
from model_def.errors import DataError


class Images(Dataset):
    """Loads the same file with mmcv's own transform."""

    def __init__(self, path):
        self.path = path

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return LoadImageFromFile()({"img_path": str(self.path)})


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("content", [None, b"no image"])
def test_a_file_that_cannot_be_read_is_named(content, workers, tmp_path):
    path = tmp_path / "tree.png"
    if content is not None:
        path.write_bytes(content)
    batches = iter(DataLoader(Images(path), num_workers=workers))
    with pytest.raises(DataError) as caught:
        next(readable(batches))
    assert caught.value.problems[0].value == str(path)


def test_other_errors_stay_what_they_are():
    with pytest.raises(AssertionError, match="something else"), data_errors():
        raise AssertionError("something else")


def test_all_batches_pass():
    assert list(readable(iter([torch.tensor(1), torch.tensor(2)]))) == [1, 2]
