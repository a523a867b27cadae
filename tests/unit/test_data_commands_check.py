"""How `data check` finds out what is there, and with how many questions."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest
from rich.console import Console

from model_def.errors import DataError, UserError
from model_def.storage.address import Address
from model_def.storage.client import AccessDenied, Interrupted
from model_def.storage.options import Options
from model_def.storage.register import register
from model_def.storage.s3 import S3Client
from model_def.transfer import presence
from model_def.transfer.crowd import TOO_MANY, Crowd
from model_def.transfer.meter import Meter, sized
from model_def.transfer.near import near
from model_def.transfer.presence import Question
from model_def.transfer.references import Group, _paths, lists


class Counting(S3Client):
    """Counts its requests; may be one that isn't allowed to list."""

    def __init__(self, *, lists: bool = True) -> None:
        super().__init__(Options())
        self._lists = lists
        self.asked: list[str] = []

    def _asked(self, method: str, address: Address, *values: Any, **words: Any) -> Any:
        self.asked.append(method)
        if method == "list_objects_v2" and not self._lists:
            raise AccessDenied("not allowed to list", url=str(address))
        return super()._asked(method, address, *values, **words)


@pytest.fixture
def folder(s3_bucket: Address, monkeypatch: pytest.MonkeyPatch) -> Address:
    """A folder of 16 objects, where 3 are few."""
    monkeypatch.setattr(presence, "FEW", 3)
    monkeypatch.setattr(presence, "LISTED", 2)
    register()
    client = S3Client(Options())
    for number in range(16):
        client.put(s3_bucket / f"f/{number:03d}.jpg", b"x" * number)
    return s3_bucket / "f"


def look(folder: Address, numbers: Any, client: Counting) -> tuple[dict[str, int], list[str]]:
    paths = tuple(f"{folder}/{number:03d}.jpg" for number in numbers)
    return presence._look(Question(folder=str(folder), paths=paths, client=client))


def test_objects_are_found_by_the_cheaper_way(folder: Address) -> None:
    client = Counting()
    sizes, unknown = look(folder, range(16), client)
    assert (sizes[f"{folder}/007.jpg"], len(sizes), unknown) == (7, 16, [])
    assert client.asked == ["list_objects_v2"]

    client = Counting()
    assert look(folder, range(3), client) == ({f"{folder}/{number:03d}.jpg": number for number in range(3)}, [])
    assert client.asked == ["head_object"] * 3

    client = Counting()
    sizes, unknown = look(folder, range(6, 10), client)  # a listing doesn't come to all
    assert [path[-7:-4] for path in (*sizes, *unknown)] == ["006", "007", "008", "009"]
    assert len(unknown) == 2
    assert client.asked == ["list_objects_v2"]

    client = Counting(lists=False)
    assert look(folder, range(9), client) == ({}, [f"{folder}/{number:03d}.jpg" for number in range(9)])
    assert look(folder, [0, 999], client) == ({f"{folder}/000.jpg": 0}, [])


def test_what_a_listing_did_not_come_to_is_asked_for(folder: Address) -> None:
    paths = tuple(f"{folder}/{number:03d}.jpg" for number in range(11, 17))
    found, seen = presence.Presence(Crowd(threads=4)), []
    group = Group(place="train", kind="images", paths=paths, backend_args=None)
    found.ask([group], seen=seen.append, tick=lambda: None)
    assert found.missing(group) == [f"{folder}/016.jpg"]
    assert sum(seen) == 6


def test_the_nearest_name_is_found_where_it_is(folder: Address, tmp_path) -> None:
    assert near(f"{folder}/010.jpeg", None) == f"{folder}/010.jpg"
    assert near(f"{str(folder).replace('/f', '/ff')}/010.jpg", None) == f"{folder}/"
    assert near(f"{folder}/entirely-else", None) == ""
    (tmp_path / "train").mkdir()
    (tmp_path / "train/a.png").touch()
    assert near(f"{tmp_path}/train/a.jpg", None) == f"{tmp_path}/train/a.png"
    assert near(f"{tmp_path}/trian/a.png", None) == f"{tmp_path}/train/"


def test_every_path_of_an_entry_counts() -> None:
    entry = {"img_path": "a.jpg", "seg_map_path": None, "img_id": 1, "instances": [{"bbox": [1]}]}
    assert list(_paths(entry)) == [("images", "a.jpg")]
    assert list(_paths({**entry, "seg_map_path": "a.png"})) == [("images", "a.jpg"), ("seg_map", "a.png")]
    assert list(_paths({"images": [entry, {"img_path": "b.jpg"}]})) == [("images", "a.jpg"), ("images", "b.jpg")]


def test_lists_are_those_of_data_sets_and_evaluators_once_each() -> None:
    def loader(**dataset: str) -> dict[str, Any]:
        return {"dataset": {"type": "CocoDataset", "data_root": "data/coco/", **dataset}}

    config = {
        "train_dataloader": {"dataset": {"type": "RepeatDataset", **loader(ann_file="a.json", proposal_file="p.pkl")}},
        "val_dataloader": loader(ann_file="b.json"),
        "test_dataloader": loader(ann_file="b.json"),
        "val_evaluator": [{"ann_file": "data/coco/b.json"}, {"ann_file": "s3://bucket/c.json"}],
        "test_evaluator": {"ann_file": "s3://bucket/c.json"},
    }
    found = [(group.place, group.paths) for group in lists(config)]
    assert found == [
        ("train_dataloader.dataset.dataset", ("data/coco/a.json", "data/coco/p.pkl")),
        ("val_dataloader.dataset", ("data/coco/b.json",)),
        ("val_evaluator", ("s3://bucket/c.json",)),
    ]


def test_a_crowd_does_all_jobs_once_and_collects_what_fails() -> None:
    done, lock = [], threading.Lock()

    def work(job: int) -> None:
        if job % 10 == 3:
            raise Interrupted(f"no {job}")
        with lock:
            done.append(job)

    failures = Crowd(threads=4).each(range(50), work)
    assert sorted(done) == [job for job in range(50) if job % 10 != 3]
    assert sorted(failure.job for failure in failures) == [3, 13, 23, 33, 43]


def test_a_crowd_gives_up_when_much_fails_and_at_once_when_all_would() -> None:
    asked = []

    def fail(error: Exception) -> Any:
        def work(job: int) -> None:
            asked.append(job)
            raise error

        return work

    assert TOO_MANY <= len(Crowd(threads=4).each(range(1000), fail(OSError("no")))) <= TOO_MANY + 4
    asked.clear()
    with pytest.raises(DataError, match=r"(?s)refused.*use credentials"):
        Crowd(threads=4).each(range(1000), fail(AccessDenied("refused")))
    assert len(asked) <= 4
    with pytest.raises(ZeroDivisionError):  # a defect is no failure of a job
        Crowd(threads=2).each(range(9), fail(ZeroDivisionError()))
    with pytest.raises(UserError, match="once"):
        Crowd(threads=2).each(range(9), fail(UserError(what="once")))


def test_the_meter_tells_speed_and_time_left() -> None:
    now = [0.0]
    meter = Meter(Console(file=io.StringIO()), what="images", items=100, size=10**9, done=20, now=lambda: now[0])
    now[0] = 10.0
    meter.add(items=40, size=5 * 10**8)
    assert meter.line() == "60 of 100 images · 500 MB of 1 GB · 50 MB/s · 4 a second · ETA 0:10"
    assert [sized(size) for size in (0, 999, 12_345, 815_585_330, 19_336_861_798)] == [
        "0 bytes",
        "999 bytes",
        "12.3 kB",
        "816 MB",
        "19.3 GB",
    ]
