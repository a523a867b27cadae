"""One suite for mmengine's storage contract: its own local backend is the reference, and the stores do the same."""

from __future__ import annotations

import pathlib
from shutil import SameFileError
from typing import Any

import mmengine
import pytest
from mmengine import fileio
from mmengine.fileio.io import get_file_backend

from model_def.storage.register import register


@pytest.fixture(params=["disk", "s3", "gcs"])
def root(request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that is not there yet: of the disk, or of a store with a cache of its own."""
    register()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("mmengine.fileio.io.backend_instances", {})
    if request.param == "disk":
        return str(tmp_path / "root")
    return str(request.getfixturevalue(f"{request.param}_bucket") / "root")


def fill(root: str) -> None:
    for path in ("a.txt", "b.jpg", "sub/c.txt", "sub/deep/d.txt", ".hidden"):
        fileio.put(path.encode(), f"{root}/{path}")


def test_reading_and_writing(root: str) -> None:
    fileio.put(b"\x00\xff", f"{root}/new/folder/x.bin")
    assert fileio.get(f"{root}/new/folder/x.bin") == b"\x00\xff"
    fileio.put_text("größer", f"{root}/t.txt")
    assert fileio.get_text(f"{root}/t.txt") == "größer"
    backend = get_file_backend(root)
    backend.put_text("größer", f"{root}/t.txt", encoding="latin-1")
    assert backend.get_text(f"{root}/t.txt", encoding="latin-1") == "größer"
    assert fileio.get(f"{root}/t.txt") == b"gr\xf6\xdfer"


def test_what_is_written_over_is_read_anew(root: str) -> None:
    backend = get_file_backend(root)
    for content in (b"first", b"second"):
        backend.put(content, f"{root}/x.txt")
        assert backend.get(f"{root}/x.txt") == content
        with backend.get_local_path(f"{root}/x.txt") as path:
            assert pathlib.Path(path).read_bytes() == content
    backend.put(b"third", f"{root}/y.txt")
    backend.copyfile(f"{root}/y.txt", f"{root}/x.txt")
    assert backend.get(f"{root}/x.txt") == b"third"
    backend.remove(f"{root}/x.txt")
    with pytest.raises(FileNotFoundError):
        backend.get(f"{root}/x.txt")


def test_what_is_there(root: str) -> None:
    assert not fileio.exists(root)
    fill(root)
    for path, exists, is_file, is_folder in (
        ("", True, False, True),
        ("/a.txt", True, True, False),
        ("/sub", True, False, True),
        ("/sub/", True, False, True),
        ("/sub/deep/d.txt", True, True, False),
        ("/su", False, False, False),
        ("/a.tx", False, False, False),
        ("/none/x", False, False, False),
    ):
        found = [function(root + path) for function in (fileio.exists, fileio.isfile, fileio.isdir)]
        assert found == [exists, is_file, is_folder], path


def test_nothing_there(root: str) -> None:
    for function in (fileio.get, fileio.get_text, fileio.remove, fileio.rmtree):
        with pytest.raises(FileNotFoundError):
            function(f"{root}/none")


def test_joining(root: str) -> None:
    assert fileio.join_path(root, "x") == f"{root}/x"
    assert fileio.join_path(f"{root}/", "x/", "y.jpg") == f"{root}/x/y.jpg"
    assert fileio.join_path(root) == root


def test_a_local_path(root: str, tmp_path: pathlib.Path) -> None:
    mmengine.dump({"x": 1}, f"{root}/data.json")
    assert mmengine.load(f"{root}/data.json") == {"x": 1}
    with fileio.get_local_path(f"{root}/data.json") as path:
        assert mmengine.load(path) == {"x": 1}
    with pytest.raises(FileNotFoundError), fileio.get_local_path(f"{root}/none.json") as path:
        pathlib.Path(path).read_bytes()


def test_copying_a_file(root: str, tmp_path: pathlib.Path) -> None:
    fill(root)
    assert fileio.copyfile(f"{root}/a.txt", f"{root}/e.txt") == f"{root}/e.txt"
    assert fileio.copyfile(f"{root}/a.txt", f"{root}/sub") == f"{root}/sub/a.txt"
    assert fileio.get(f"{root}/e.txt") == fileio.get(f"{root}/sub/a.txt") == b"a.txt"
    with pytest.raises(SameFileError):
        fileio.copyfile(f"{root}/a.txt", f"{root}/a.txt")
    with pytest.raises(FileNotFoundError):
        fileio.copyfile(f"{root}/none", f"{root}/f")
    assert not fileio.copy_if_symlink_fails(f"{root}/a.txt", f"{root}/link") or "://" not in root
    assert fileio.get(f"{root}/link") == b"a.txt"


def test_copying_a_folder(root: str) -> None:
    fill(root)
    assert fileio.copytree(f"{root}/sub", f"{root}/new/sub") == f"{root}/new/sub"
    assert sorted(fileio.list_dir_or_file(f"{root}/new", recursive=True)) == [
        "sub", "sub/c.txt", "sub/deep", "sub/deep/d.txt",
    ]  # fmt: skip
    with pytest.raises(FileExistsError):
        fileio.copytree(f"{root}/sub", f"{root}/new")
    with pytest.raises(FileNotFoundError):
        fileio.copytree(f"{root}/none", f"{root}/newer")


def test_uploading_and_downloading(root: str, tmp_path: pathlib.Path) -> None:
    local = tmp_path / "local"
    (local / "in").mkdir(parents=True)
    (local / "in/x.txt").write_text("x")
    (local / "y.txt").write_text("y")
    backend = get_file_backend(root)
    assert backend.copytree_from_local(local, f"{root}/tree") == f"{root}/tree"
    with pytest.raises(FileExistsError):
        backend.copytree_from_local(local, f"{root}/tree")
    assert backend.copyfile_from_local(local / "y.txt", f"{root}/tree/in") == f"{root}/tree/in/y.txt"
    assert backend.get(f"{root}/tree/in/y.txt") == b"y"
    assert backend.copytree_to_local(f"{root}/tree", tmp_path / "back") == tmp_path / "back"
    found = {path.relative_to(tmp_path / "back").as_posix() for path in (tmp_path / "back").rglob("*")}
    assert found == {"in", "in/x.txt", "in/y.txt", "y.txt"}
    with pytest.raises(FileExistsError):
        backend.copytree_to_local(f"{root}/tree", tmp_path / "back")
    assert str(backend.copyfile_to_local(f"{root}/tree/y.txt", tmp_path / "z")) == str(tmp_path / "z")
    assert str(backend.copyfile_to_local(f"{root}/tree/y.txt", str(local / "in"))) == str(local / "in/y.txt")
    assert (local / "in/y.txt").read_text() == (tmp_path / "z").read_text() == "y"
    for copy in (backend.copyfile_to_local, backend.copytree_to_local):
        with pytest.raises(FileNotFoundError):
            copy(f"{root}/none", tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_removing(root: str) -> None:
    fill(root)
    fileio.remove(f"{root}/a.txt")
    assert not fileio.exists(f"{root}/a.txt")
    with pytest.raises(IsADirectoryError):
        fileio.remove(f"{root}/sub")
    fileio.rmtree(f"{root}/sub")
    assert not fileio.exists(f"{root}/sub")
    assert fileio.exists(f"{root}/b.jpg")


LISTED: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["a.txt", "b.jpg", "sub"]),
    ({"list_dir": False}, ["a.txt", "b.jpg"]),
    ({"list_file": False}, ["sub"]),
    ({"recursive": True}, ["a.txt", "b.jpg", "sub", "sub/c.txt", "sub/deep", "sub/deep/d.txt"]),
    ({"list_file": False, "recursive": True}, ["sub", "sub/deep"]),
    ({"list_dir": False, "suffix": ".txt", "recursive": True}, ["a.txt", "sub/c.txt", "sub/deep/d.txt"]),
    ({"list_dir": False, "suffix": (".jpg", ".png")}, ["b.jpg"]),
]


def test_listing(root: str) -> None:
    fill(root)
    for words, expected in LISTED:
        for folder in (root, f"{root}/"):
            assert sorted(fileio.list_dir_or_file(folder, **words)) == expected, words


def test_listing_wrongly(root: str) -> None:
    backend = get_file_backend(root)
    for words in ({"list_dir": True, "suffix": ".txt"}, {"list_dir": False, "suffix": [".txt"]}):
        with pytest.raises(TypeError, match="suffix"):
            backend.list_dir_or_file(root, **words)
    with pytest.raises(FileNotFoundError):
        list(backend.list_dir_or_file(f"{root}/none"))
