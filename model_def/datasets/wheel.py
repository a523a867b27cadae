"""Fetches one pinned file from the package index, without installing it, into the user's cache directory."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from model_def.errors import DataError
from model_def.storage.cache import user_cache


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wheel:
    """A pure Python wheel of the package index, pinned by version and content."""

    name: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.name}=={self.version}"

    @property
    def file_name(self) -> str:
        """The file's name on the index and in the cache."""
        return f"{self.name}-{self.version}-py3-none-any.whl"


def downloads_dir() -> Path:
    """Where downloaded files are kept."""
    return user_cache("downloads")


def fetch(wheel: Wheel) -> Path:
    """The path of the wheel in the cache, downloaded if it isn't there whole.

    pip does the download, so that the user's index, proxy and certificates are honoured.

    Raises:
        DataError: there is no network, or the index holds another file under this name.
    """
    folder = downloads_dir()
    kept = folder / wheel.file_name
    if kept.is_file() and _sha256(kept) == wheel.sha256:
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            path = _download(wheel, Path(fresh), kept)
            _check_hash(wheel, path)
            os.replace(path, kept)
    except OSError as error:
        raise DataError(
            what="the download can't be kept",
            value=str(kept),
            where=str(error),
            next="export XDG_CACHE_HOME=/a/directory/with/room",
        ) from error
    return kept


def _download(wheel: Wheel, folder: Path, kept: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--retries", "2", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), wheel.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    path = folder / wheel.file_name
    if done.returncode == 0 and path.is_file():
        return path
    raise DataError(
        what=f"{wheel.requirement} can't be downloaded",
        value=(done.stderr.strip().splitlines() or ["pip gave no reason"])[-1],
        where=" ".join(["python", *command[1:4], wheel.requirement]),
        allowed="a network connection; pip's own settings (index, proxy) are used",
        next=f"try again when the network is up, or put {wheel.file_name} at {kept}",
    )


def _check_hash(wheel: Wheel, path: Path) -> None:
    found = _sha256(path)
    if found != wheel.sha256:
        raise DataError(
            what=f"the package index holds another {wheel.file_name}",
            value=found,
            allowed=f"sha256 {wheel.sha256}",
            next="use an index that holds the original file: pip config list shows the one in use",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
