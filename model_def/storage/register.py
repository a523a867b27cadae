"""Makes the stores known to mmengine."""

from __future__ import annotations

from mmengine.fileio import register_backend

from model_def.storage.backend import GCSBackend, S3Backend
from model_def.storage.fake import FakeBackend


def register() -> None:
    """mmengine knows `s3`, `gcs` and `fake`, and takes them for `s3://` and `gs://`. Again does no harm.

    mmengine itself gives `s3://` to Petrel, a client that nobody outside its makers' cluster has.
    """
    register_backend("s3", S3Backend, prefixes="s3", force=True)
    register_backend("gcs", GCSBackend, prefixes="gs", force=True)
    register_backend("fake", FakeBackend, force=True)
