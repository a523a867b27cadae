"""`data put`, and `data coco` into a bucket, against real servers."""

import _thread
import io
import os
import signal
from pathlib import Path

import pytest
from rich.console import Console

from model_def import cli
from model_def.errors import DataError, UserError
from model_def.storage.address import Address
from model_def.storage.choose import client_for
from model_def.storage.options import Options
from model_def.transfer.coco import Download, Wanted
from model_def.transfer.destination import Prefix
from model_def.transfer.put import Upload
from tests.support.zips import below, coco_2017, serving


@pytest.fixture(params=["s3", "gcs"])
def place(request) -> Prefix:
    bucket = request.getfixturevalue(f"{request.param}_bucket")
    return Prefix(bucket / "data/coco", client_for(bucket.scheme, Options()))


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, content in {"a/1.jpg": b"one", "a/2.jpg": b"two", "b/c d+ü.json": b"{}", "empty": b""}.items():
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "set"


def put(folder: Path, to: Prefix) -> str:
    console = Console(file=io.StringIO(), width=200)
    Upload(folder, to, console, threads=4).run()
    return console.file.getvalue()


def there(place: Prefix) -> dict[str, bytes]:
    return {name: b"".join(place.read(name)) for name in place.sizes("")}


def test_every_file_becomes_an_object_and_a_second_time_nothing_is_sent(folder, place):
    assert "4 sent (8 bytes), 0 were there; all 4 are as here" in put(folder, place)
    assert there(place) == below(folder)
    (folder / "a/1.jpg").write_bytes(b"six")  # the same size
    (folder / "new").write_bytes(b"x")
    assert "2 sent (4 bytes), 3 were there; all 5 are as here" in put(folder, place)
    assert there(place) == below(folder)


def test_a_large_file_is_recognised_by_the_sums_of_its_parts(tmp_path, s3_bucket, monkeypatch):
    part = 5 << 20  # the least that S3 takes
    monkeypatch.setattr("model_def.storage.s3.PART", part)
    monkeypatch.setattr("model_def.transfer.put.PART", part)
    (tmp_path / "large").mkdir()
    (tmp_path / "large/file").write_bytes(bytes(part + 1))
    place = Prefix(s3_bucket / "large", client_for("s3", Options()))
    assert "1 sent" in put(tmp_path / "large", place)
    assert "0 sent (0 bytes), 1 were there" in put(tmp_path / "large", place)


def test_what_cannot_be_sent_is_named_and_the_rest_is_sent(folder, place):
    (folder / "broken.jpg").symlink_to(folder / "nowhere")
    (folder / ".download.lock").touch()
    with pytest.raises(UserError, match=r"(?s)1 of 5 files could not be sent: 'broken.jpg'.*No such file.*start again"):
        put(folder, place)
    assert len(place.sizes("")) == 4


def test_links_are_followed_in_no_circles(folder, tmp_path, place):
    (folder / "circle").symlink_to(folder)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x").write_bytes(b"x")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    put(folder, place)
    assert set(place.sizes("")) == {"a/1.jpg", "a/2.jpg", "b/c d+ü.json", "empty", "linked/x"}


def test_an_object_that_is_changed_meanwhile_is_noticed(folder, place):
    class Meddling(Prefix):
        def put_file(self, name: str, path: Path) -> None:
            super().put_file(name, path)
            if name == "a/2.jpg":
                self._client.put(self.address / name, b"owt")

    meddling = Meddling(place.address, client_for(place.address.scheme, Options()))
    with pytest.raises(UserError, match=r"1 of 4 objects are not what was sent: 'a/2\.jpg'"):
        put(folder, meddling)


@pytest.fixture
def ctrl_c():
    """Tests may run in the background, where a shell has Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_after_ctrl_c_what_was_sent_is_there_and_counted(folder, place):
    class Interrupting(Prefix):
        def put_file(self, name: str, path: Path) -> None:
            super().put_file(name, path)
            if name == "a/2.jpg":
                _thread.interrupt_main()

    upload = Upload(folder, Interrupting(place.address, place._client), Console(file=io.StringIO()), threads=1)
    with pytest.raises(KeyboardInterrupt):
        upload.run()
    sent = len(place.sizes(""))
    assert 2 <= sent <= 4
    assert (upload.there, upload.total) == (sent, 4)
    assert f"{4 - sent} sent" in put(folder, place)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nowhere", "there is no such folder"),
        (lambda folder: folder / "empty", "the folder is a file"),
    ],
)
def test_a_folder_that_is_none_is_told(folder, place, make, message):
    with pytest.raises(DataError, match=message):
        put(make(folder), place)


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_missing_bucket_is_one_clear_error(folder, s3_bucket, gcs_bucket, scheme, capsys):
    assert cli.main(["data", "put", str(folder), f"{scheme}://nobody-has-this/x"]) == 2
    told = capsys.readouterr().err
    assert "no such bucket" in told
    assert "nobody-has-this" in told
    assert "next:    correct the bucket's name" in told


def test_a_server_that_is_down_is_one_clear_error_within_seconds(folder, s3_bucket, capsys):
    arguments = ["data", "put", str(folder), "s3://bucket/x", "--endpoint-url", "http://127.0.0.1:9"]
    assert cli.main(arguments) == 2
    assert "check endpoint_url" in capsys.readouterr().err


def test_coco_goes_straight_into_a_bucket(tmp_path, place):
    console = Console(file=io.StringIO(), width=200)
    with serving(coco_2017()) as server:
        wanted = Wanted(year=2017, splits=("val",), panoptic=True, base=server.url)
        Download(wanted, place, console).run()
        names = set(place.sizes(""))
        assert {"val2017/000000000006.jpg", "annotations/instances_val2017.json"} <= names
        assert "annotations/panoptic_val2017/000000000006.png" in names
        assert len(names) == 6 + 3 + 1 + 6
        Download(wanted, place, console).run()
    assert "val2017.zip: 6 files (6 were there, 0 bytes came)" in console.file.getvalue()
    assert list(tmp_path.iterdir()) == []


def test_coco_refuses_a_missing_bucket_before_it_downloads(s3_bucket):
    missing = Prefix(Address(scheme="s3", bucket="nobody-has-this"), client_for("s3", Options()))
    with serving(coco_2017()) as server:
        with pytest.raises(DataError, match="no such bucket"):
            Download(Wanted(year=2017, splits=("val",), base=server.url), missing, Console(file=io.StringIO())).run()
        assert {path for path, _ in server.asked} == {"/annotations/annotations_trainval2017.zip"}


def test_nothing_is_left_in_the_folder_for_temporary_files(tmp_path, s3_bucket, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    place = Prefix(s3_bucket / "x", client_for("s3", Options()))
    monkeypatch.setattr("model_def.transfer.destination.IN_MEMORY", 1000)
    place.write("large", 1001, iter([bytes(1001)]))
    assert place.sizes("") == {"large": 1001}
    assert os.listdir(tmp_path) == []
