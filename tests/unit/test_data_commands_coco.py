"""`data coco`: zips are unpacked while they come, and what is there is not fetched again."""

import dataclasses
import errno
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from rich.console import Console

from model_def import cli
from model_def.errors import DataError, OutputError, UserError
from model_def.transfer import source
from model_def.transfer.archive import members as members_of
from model_def.transfer.archive import runs
from model_def.transfer.coco import Download, Wanted
from model_def.transfer.destination import Folder
from model_def.transfer.names import file_names
from model_def.transfer.official import archives
from model_def.transfer.source import OnDisk
from tests.support.zips import annotations, below, coco_2017, images, serving, zipped

REPOSITORY = Path(__file__).parents[2]
VAL = Wanted(year=2017, splits=("val",))


@pytest.fixture
def server():
    with serving(coco_2017()) as server:
        yield server


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(source, "LONGEST_PAUSE", 0.01)


def bring(to: Path, base: str, wanted: Wanted = VAL, **changes) -> str:
    console = Console(file=io.StringIO(), width=200)
    Download(dataclasses.replace(wanted, base=base, **changes), Folder(to), console).run()
    return console.file.getvalue()


def unzipped(files, *names):
    """The content of the served zips, as `unzip` gives it."""
    found = {}
    for name in names:
        with zipfile.ZipFile(io.BytesIO(files[name])) as archive:
            found |= {entry: archive.read(entry) for entry in archive.namelist() if not entry.endswith("/")}
    return found


def test_the_result_is_what_unzip_gives_where_mmdets_configs_look(tmp_path, server):
    told = bring(tmp_path / "coco", server.url, splits=("train", "val"))
    names = ("annotations/annotations_trainval2017.zip", "zips/train2017.zip", "zips/val2017.zip")
    assert below(tmp_path / "coco") == unzipped(server.files, *names)
    assert (tmp_path / "coco/annotations/instances_train2017.json").is_file()
    assert "train2017: all 40 images of annotations/instances_train2017.json are there" in told


def test_a_second_run_fetches_only_directories(tmp_path, server):
    bring(tmp_path, server.url)
    before = len(server.asked)
    assert "6 files (6 were there, 0 bytes came)" in bring(tmp_path, server.url)
    directories = {"/annotations/annotations_trainval2017.zip", "/zips/val2017.zip"}
    assert len(server.asked) - before == 4  # the size and the directory of each
    assert {path for path, _ in server.asked[before:]} == directories


def test_only_what_is_missing_is_fetched(tmp_path, server):
    bring(tmp_path, server.url)
    whole = below(tmp_path)
    (tmp_path / "val2017/000000000003.jpg").unlink()
    (tmp_path / "val2017/000000000005.jpg").write_bytes(b"cut")
    (tmp_path / "val2017/.000000000003.jpg.part").write_bytes(b"left by a killed run")
    before = len(server.bodies)
    assert "(4 were there, 8.01 kB came)" in bring(tmp_path, server.url)
    assert below(tmp_path) == whole
    images_asked = [size for path, size in server.bodies[before:] if size > 4000 and path == "/zips/val2017.zip"]
    assert sum(images_asked) < 4 * 4100 + len(server.files["zips/val2017.zip"])  # the directory's request takes all


@pytest.mark.parametrize("fault", ["cut", "busy"])
def test_connections_that_break_are_taken_up_again(tmp_path, server, fault):
    setattr(server, fault, 6 if fault == "cut" else 2)
    bring(tmp_path, server.url)
    assert len(below(tmp_path)) == 9
    assert getattr(server, fault) == 0


def test_after_a_break_only_the_rest_is_asked_for(tmp_path, server):
    server.cut = 1
    source_ = source.AtUrl.open(f"{server.url}/zips/train2017.zip", pause=lambda _: None)
    content = server.files["zips/train2017.zip"]
    assert b"".join(source_.read(100, 10_100)) == content[100:10_100]
    assert [size for _, size in server.bodies] == [10_000, 5_000]


def test_a_flipped_byte_is_noticed_and_the_file_is_asked_for_again(tmp_path, server):
    spoilt = []

    def spoil(number, body):
        if len(body) > 20_000 and not spoilt and b"PK\1\2" not in body:
            spoilt.append(number)
            return body[:5000] + bytes([body[5000] ^ 1]) + body[5001:]
        return body

    bring(tmp_path, server.url)
    whole = below(tmp_path)
    shutil.rmtree(tmp_path)
    server.spoil = spoil
    bring(tmp_path, server.url)
    assert spoilt
    assert below(tmp_path) == whole


def test_bytes_that_stay_wrong_are_an_error_and_nothing_wrong_is_kept(tmp_path, server):
    zip_ = server.files["zips/val2017.zip"]
    third = unzipped(server.files, "zips/val2017.zip")["val2017/000000000003.jpg"]
    place = zip_.index(third)
    server.files["zips/val2017.zip"] = zip_[:place] + bytes(4) + zip_[place + 4 :]
    with pytest.raises(UserError, match=r"(?s)parts of the archive can't be had: 'val2017/.*CRC-32.*start again"):
        bring(tmp_path, server.url)
    there = below(tmp_path)
    assert "val2017/000000000002.jpg" in there
    assert not [name for name in there if "000000000003.jpg" in name]


def test_maps_and_stuff_come_too_if_they_are_wanted(tmp_path, server):
    wanted = dataclasses.replace(VAL, panoptic=True, stuff=True)
    bring(tmp_path, server.url, wanted)
    there = below(tmp_path)
    assert len([name for name in there if name.startswith("annotations/panoptic_val2017/")]) == 6
    assert {"annotations/panoptic_val2017.json", "annotations/stuff_val2017.json"} <= there.keys()
    assert len([name for name in there if name.startswith("stuffthingmaps/val2017/")]) == 3
    assert not [name for name in there if name.endswith(".zip") or "MACOSX" in name]
    before = len(server.bodies)
    assert "annotations/panoptic_val2017: all 6 files were there" in bring(tmp_path, server.url, wanted)
    assert len(server.bodies) - before == 5  # five directories


def test_unlabeled_images_get_the_annotation_file_that_mmdet_reads(tmp_path, server):
    wanted = dataclasses.replace(VAL, splits=("unlabeled",))
    assert "annotations/instances_unlabeled2017.json: written" in bring(tmp_path, server.url, wanted)
    made = json.loads((tmp_path / "annotations/instances_unlabeled2017.json").read_text())
    assert len(made["images"]) == 4
    assert made["annotations"] == []
    assert made["categories"] == json.loads((tmp_path / "annotations/instances_val2017.json").read_text())["categories"]
    assert not (tmp_path / "val2017").exists()
    assert "written" not in bring(tmp_path, server.url, wanted)


def test_an_inner_zip_that_was_brought_is_not_brought_again(tmp_path, server):
    wanted = dataclasses.replace(VAL, panoptic=True)
    inner = unzipped(server.files, "annotations/panoptic_annotations_trainval2017.zip")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/panoptic_val2017.zip").write_bytes(inner["annotations/panoptic_val2017.zip"])
    assert "panoptic_annotations_trainval2017.zip: 1 file (" in (told := bring(tmp_path, server.url, wanted))
    assert told.count("panoptic_annotations_trainval2017.zip") == 1
    assert len([name for name in below(tmp_path) if "panoptic_val2017/" in name]) == 6


@pytest.mark.parametrize("count", [6, 5])
def test_an_inner_zip_may_lack_its_folder_but_no_map(tmp_path, server, count):
    outer = unzipped(server.files, "annotations/panoptic_annotations_trainval2017.zip")
    maps = images("panoptic_val2017", count, size=300, ending=".png")
    outer["annotations/panoptic_val2017.zip"] = zipped({Path(name).name: content for name, content in maps.items()})
    server.files["annotations/panoptic_annotations_trainval2017.zip"] = zipped(outer)
    wanted = dataclasses.replace(VAL, panoptic=True)
    if count < 6:
        with pytest.raises(DataError, match=r"(?s)1 of 6 images that the annotations name.*000000000006\.png"):
            bring(tmp_path, server.url, wanted)
    else:
        bring(tmp_path, server.url, wanted)
        assert len([name for name in below(tmp_path) if name.startswith("annotations/panoptic_val2017/")]) == 6


def test_a_folder_with_the_zips_does_as_well(tmp_path, server):
    for name in ("annotations/annotations_trainval2017.zip", "zips/val2017.zip"):
        (tmp_path / Path(name).name).write_bytes(server.files[name])
    bring(tmp_path / "coco", str(tmp_path))
    assert len(below(tmp_path / "coco")) == 9


def test_images_that_the_annotations_name_have_to_be_in_the_archive(tmp_path, server):
    server.files["zips/val2017.zip"] = zipped(images("val2017", 4))
    with pytest.raises(DataError, match=r"(?s)2 of 6 images that the annotations name.*000000000005.jpg"):
        bring(tmp_path, server.url)


def test_what_has_no_room_is_not_begun(tmp_path, server):
    packed = io.BytesIO(server.files["zips/val2017.zip"])
    with zipfile.ZipFile(packed, "a") as archive:
        archive.filelist[-1].file_size = 10**17
        archive._didModify = True
    server.files["zips/val2017.zip"] = packed.getvalue()
    with pytest.raises(OutputError, match=r"(?s)no room for the data set.*100,000 TB or more"):
        bring(tmp_path, server.url)
    assert below(tmp_path) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ranges": False}, "can't send a part of a file"),
        ({"files": {}}, "there is no such archive: 'annotations_trainval2017.zip'"),
        ({"files": {"annotations/annotations_trainval2017.zip": b"<html>log in"}}, "not a zip file"),
        ({"files": {"annotations_trainval2017.zip": zipped({"a/b": b"c"})}}, "holds nothing that is wanted"),
        ({"files": {"annotations_trainval2017.zip": zipped({"annotations/../../b": b""})}}, "can't be unpacked"),
    ],
)
def test_a_server_without_what_is_needed_is_one_clear_error(tmp_path, server, change, message):
    for name, value in change.items():
        setattr(server, name, value)
    with pytest.raises(DataError) as caught:
        bring(tmp_path, server.url)
    assert message in str(caught.value)
    assert below(tmp_path) == {}


def test_a_server_that_is_down_is_told_at_once(tmp_path, server, capsys):
    url = "http://127.0.0.1:9"
    assert cli.main(["data", "coco", "--to", str(tmp_path / "coco"), "--from", url]) == 2
    told = capsys.readouterr().err
    assert told.startswith("the archive can't be read: 'http://127.0.0.1:9/annotations/annotations_trainval2017.zip'")
    assert "refused" in told


def test_a_file_that_changes_on_the_server_is_noticed(server):
    source_ = source.AtUrl.open(f"{server.url}/zips/val2017.zip", pause=lambda _: None)
    server.files["zips/val2017.zip"] += b"more"
    with pytest.raises(DataError, match="has changed"):
        list(source_.read(0, 100))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--year", "2014", "--split", "unlabeled"], "COCO 2014 has no such split: 'unlabeled'"),
        (["--year", "2014", "--stuff"], "COCO 2014 has no panoptic and stuff annotations"),
        (["--to", "ftp://here/coco"], "not the address of a bucket: 'ftp://here/coco'"),
        (["--to", "s3:///coco"], "not the address of a bucket"),
        (["--from", "s3://bucket/coco"], "no such kind of source"),
        (["--endpoint-url", "localhost"], "not a value for this option of a store"),
        (["--to", "/proc/coco"], "the folder can't be written"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_clear_error(tmp_path, arguments, message, capsys):
    assert cli.main(["data", "coco", "--to", str(tmp_path / "coco"), "--from", str(tmp_path), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_two_downloads_into_one_folder_do_not_meet(tmp_path, server):
    with Folder(tmp_path).alone(), pytest.raises(OutputError, match="another process downloads into this folder"):
        bring(tmp_path, server.url)


def test_a_full_disk_ends_it_and_leaves_no_half_file(tmp_path, server):
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4003, -1)); import signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from model_def import cli; sys.exit(cli.main(['data', 'coco', *sys.argv[1:]]))"
    )
    given = ["--split", "val", "--threads", "1", "--to", str(tmp_path), "--from", server.url]
    command = [sys.executable, "-c", code, *given]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "the disk is full" in done.stderr
    assert os.strerror(errno.EFBIG) not in done.stdout
    there = below(tmp_path)
    assert "val2017/000000000003.jpg" in there
    assert not [name for name in there if "000000000004.jpg" in name]


def test_names_are_found_across_pieces():
    text = annotations(images("val2017", 30))
    for size in (1, 7, 100):
        assert len(file_names(text[at : at + size] for at in range(0, len(text), size))) == 30


def test_files_that_lie_together_are_fetched_together(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped(images("a", 9, size=3 << 20)))
    files = members_of(OnDisk.open(tmp_path / "a.zip"))
    assert [len(run) for run in runs(files)] == [2, 2, 2, 2, 1]
    assert [len(run) for run in runs([files[0], files[3], files[4]])] == [1, 2]


def test_the_annotations_of_each_split_come_first():
    chosen = list(archives(2014, ("train", "test"), panoptic=False, stuff=False))
    assert [one.path for one in chosen] == [
        "annotations/annotations_trainval2014.zip",
        "annotations/image_info_test2014.zip",
        "zips/train2014.zip",
        "zips/test2014.zip",
    ]
    assert chosen[2].named_by == "annotations/instances_train2014.json"
    assert chosen[2].urls("") == ["http://images.cocodataset.org/zips/train2014.zip"]
