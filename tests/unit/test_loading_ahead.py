"""Fetching ahead: what is coming is on its way, and nothing else is changed by it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from mmdet.datasets import CocoDataset
from mmdet.datasets.samplers import (
    AspectRatioBatchSampler,
    ClassAwareSampler,
    GroupMultiSourceSampler,
    MultiSourceSampler,
)
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.fileio import get_file_backend
from torch.utils.data import BatchSampler, DataLoader, Sampler

from model_def.loading.ahead import Batch, depth, fetch_ahead, looking_ahead, with_coming
from model_def.loading.order import Order
from model_def.loading.stores import store_of
from model_def.rng import rng_state
from model_def.storage import ahead
from model_def.storage.address import Address
from model_def.storage.ahead import BYTES, Ahead

SAMPLES, EPOCHS = 24, 2


@pytest.fixture(params=["s3", "gcs"])
def bucket(request: pytest.FixtureRequest, shapes_context: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    address = request.getfixturevalue(f"{request.param}_bucket")
    get_file_backend(str(address)).copytree_from_local(shapes_context / "data/shapes", f"{address}shapes")
    return address


def dataset(root: str, **more: Any) -> CocoDataset:
    loading = {"type": "mmcv.LoadImageFromFile", "backend_args": {"backend": "s3" if root.startswith("s3") else "gcs"}}
    if "://" not in root:
        loading.pop("backend_args")
    pipeline = [loading, {"type": "mmdet.LoadAnnotations", "with_bbox": True}, {"type": "mmdet.PackDetInputs"}]
    files: dict[str, Any] = {"ann_file": "train.json", "data_prefix": {"img": "train/"}}
    classes = {"classes": ("rectangle", "ellipse")}
    return CocoDataset(data_root=root, **files, metainfo=classes, pipeline=pipeline, **more)


def test_what_is_told_is_fetched_at_the_same_time_and_given_once() -> None:
    together, asked = threading.Barrier(3, timeout=10), []

    def read(address: Address) -> bytes:
        asked.append(address.key)
        if len(asked) <= 3:
            together.wait()  # passes if three are under way
        return address.key.encode()

    ahead = Ahead(read, threads=3)
    addresses = [Address(scheme="s3", bucket="b", key=key) for key in "abc"]
    ahead.start(addresses)
    ahead.start(addresses)
    assert [ahead.read(address) for address in addresses] == [b"a", b"b", b"c"]
    assert sorted(asked) == ["a", "b", "c"]
    assert ahead.read(addresses[0]) == b"a"
    assert sorted(asked) == ["a", "a", "b", "c"], "what was given isn't kept"


def test_so_many_may_wait_as_fit() -> None:
    ahead = Ahead(lambda address: bytes(BYTES // 4), threads=1)
    assert ahead.at_most == 0, "who knows how large they are"
    for key in "ab":
        ahead.read(Address(scheme="s3", bucket="b", key=key))
        assert ahead.at_most == 4


def test_an_error_is_told_where_the_object_is_read() -> None:
    def read(address: Address) -> bytes:
        raise FileNotFoundError(str(address))

    ahead, address = Ahead(read, threads=1), Address(scheme="s3", bucket="b", key="a")
    ahead.start([address])
    with pytest.raises(FileNotFoundError, match="s3://b/a"):
        ahead.read(address)


@pytest.mark.parametrize(("workers", "deep"), [(1, 1), (2, 1), (2, 3), (3, 2)])
def test_a_worker_is_told_its_own_next_batches(workers: int, deep: int) -> None:
    batches = [[2 * n, 2 * n + 1] for n in range(10)]
    told = list(with_coming(batches, workers=workers, depth=deep))
    assert told == batches
    for number, batch in enumerate(told):
        mine = batches[number + workers :: workers][:deep]
        assert list(batch.coming) == [index for each in mine for index in each]


@pytest.mark.parametrize("used", [0, 1, 4])
def test_the_order_and_its_place_are_as_without(used: int, shapes_context: Any) -> None:
    """Going on from a place that was reached while looking ahead gives the rest of the batches."""
    data = dataset(str(shapes_context / "data/shapes"))

    def order(deep: int) -> Order:
        return Order(BatchSampler(DefaultSampler(data, seed=3), 4, False), workers=2, depth=deep)

    whole = list(order(0))
    first = order(2)
    batches = iter(first)
    for batch in whole[:used]:
        assert next(batches) == batch
        first.used()
    second = order(2)
    second.resume(first.state_dict(), blanks=0)
    assert list(second) == whole[used:]


@pytest.mark.parametrize("sampler", [DefaultSampler, InfiniteSampler, ClassAwareSampler])
def test_samplers_that_are_asked_early_draw_no_common_random_numbers(sampler: Any, shapes_context: Any) -> None:
    batches = iter(AspectRatioBatchSampler(sampler(dataset(str(shapes_context / "data/shapes")), seed=1), 2))
    before = rng_state()
    for _ in range(10):
        next(batches)
    assert same(rng_state(), before)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return bool((a == b).all()) if hasattr(a, "all") else bool(a == b)


def test_other_samplers_are_not_asked_early(bucket: Address) -> None:
    class Own(Sampler[int]):
        def __iter__(self) -> Any:
            return iter(range(SAMPLES))

    data = dataset(f"{bucket}shapes")
    assert depth(DataLoader(data, batch_sampler=BatchSampler(DefaultSampler(data), 4, False))) == 16
    assert depth(DataLoader(data, batch_sampler=BatchSampler(Own(), 4, False))) == 0
    grouped = GroupMultiSourceSampler.__new__(GroupMultiSourceSampler)
    assert depth(DataLoader(data, batch_sampler=BatchSampler(grouped, 4, False))) == 0
    quiet = MultiSourceSampler.__new__(MultiSourceSampler)
    assert depth(DataLoader(data, batch_sampler=BatchSampler(quiet, 4, False))) > 0


def test_a_batch_brings_the_objects_of_the_next(bucket: Address) -> None:
    """They are read although they have gone from the bucket in the meantime, and the samples are those of the disk."""
    data = dataset(f"{bucket}shapes", backend_args={"backend": "s3" if bucket.scheme == "s3" else "gcs"})
    one_by_one = [data[index]["inputs"] for index in range(4)]
    data = dataset(f"{bucket}shapes")
    store = store_of(data)
    assert store is not None
    for index in range(4):
        store.cache.forget(Address.parse(data.get_data_info(index)["img_path"]))
    fetch_ahead(data)
    first = Batch([0, 1])
    first.coming = (2, 3)
    samples = data.__getitems__(first)
    for future in list(store._ahead._own()._waiting.values()):
        future.result()
    for index in (2, 3):
        store.remove(data.get_data_info(index)["img_path"])
    samples += data.__getitems__(Batch([2, 3]))
    assert all((sample["inputs"] == other).all() for sample, other in zip(samples, one_by_one, strict=True))


@pytest.fixture
def asked_for(bucket: Address, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads all samples in batches of two that know four more, and tells how many objects were asked for at a time."""

    def asked_for() -> list[int]:
        data, counts = dataset(f"{bucket}shapes"), []
        store = store_of(data)
        assert store is not None
        start = store.fetch_ahead

        def counted(paths: Any) -> None:
            listed = list(paths)
            counts.append(len(listed))
            start(listed)

        monkeypatch.setattr(store, "fetch_ahead", counted)
        fetch_ahead(data)
        for _ in range(EPOCHS):
            for batch in with_coming([[n, n + 1] for n in range(0, SAMPLES, 2)], workers=1, depth=4):
                data.__getitems__(batch)
        assert sum(counts) == EPOCHS * SAMPLES, "each once in an epoch"
        return [count for count in counts if count]

    return asked_for


def test_objects_are_asked_for_many_at_a_time(asked_for: Any) -> None:
    assert asked_for() == EPOCHS * [2, 8, 4, 4, 4, 2]


def test_few_large_objects_wait(asked_for: Any, monkeypatch: pytest.MonkeyPatch, shapes_context: Any) -> None:
    sizes = [path.stat().st_size for path in (shapes_context / "data/shapes/train").iterdir()]
    monkeypatch.setattr(ahead, "BYTES", 3 * max(sizes))
    assert max(asked_for()) <= 3 * max(sizes) / min(sizes) < 8


def test_data_on_the_disk_is_left_alone(shapes_context: Any) -> None:
    data = dataset(str(shapes_context / "data/shapes"))
    loader = DataLoader(data, batch_sampler=BatchSampler(DefaultSampler(data), 4, False))
    sampler = loader.batch_sampler
    assert looking_ahead(loader).batch_sampler is sampler
    fetch_ahead(data)
    assert not hasattr(data, "__getitems__")
    assert depth(loader) == 0
