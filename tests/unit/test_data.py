"""Passing over used batches, and naming files that can't be read."""

from __future__ import annotations

import pytest
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import DataLoader, Dataset

from model_def.data import data_errors, fast_forward, readable
from model_def.errors import DataError


class Numbers(Dataset):
    """0 to 9; remembers which were loaded."""

    def __init__(self):
        self.loaded = []

    def __len__(self):
        return 10

    def __getitem__(self, index):
        self.loaded.append(index)
        return index


class Images(Dataset):
    """Loads the same file with mmcv's own transform."""

    def __init__(self, path):
        self.path = path

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return LoadImageFromFile()({"img_path": str(self.path)})


def loader(sampler_class, dataset=None):
    dataset = dataset or Numbers()
    return DataLoader(dataset, batch_size=4, sampler=sampler_class(dataset, seed=3))


def take(dataloader, count):
    """As mmengine's iteration loop does: from the start again with the next epoch where the data ends."""
    epoch, batches = 0, iter(dataloader)
    for _ in range(count):
        batch = next(batches, None)
        if batch is None:
            epoch += 1
            dataloader.sampler.set_epoch(epoch)
            batches = iter(dataloader)
            batch = next(batches)
        yield batch.tolist()


@pytest.mark.parametrize("behind", [0, 2, 3, 7])
def test_infinite_data_goes_on_without_loading(behind):
    whole, resumed = loader(InfiniteSampler), loader(InfiniteSampler)
    fast_forward(resumed, batches=behind)
    assert list(take(resumed, 3)) == list(take(whole, behind + 3))[behind:]
    assert len(resumed.dataset.loaded) == 3 * 4


def test_an_epoch_goes_on_in_its_middle_once():
    whole, resumed = loader(DefaultSampler), loader(DefaultSampler)
    fast_forward(resumed, batches=2)
    assert [b.tolist() for b in resumed] == [b.tolist() for b in whole][2:]
    assert len(resumed) == 3, "the length of an epoch stays"
    assert len(list(resumed)) == 3, "the next epoch is whole"


def test_finite_data_goes_on_in_a_later_epoch():
    whole, resumed = loader(DefaultSampler), loader(DefaultSampler)
    expected = list(take(whole, 8))[7:]
    fast_forward(resumed, batches=7)
    assert [b.tolist() for b in resumed][:1] == expected
    assert resumed.batch_sampler.epoch == 2


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
