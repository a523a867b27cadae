"""The client that the options ask for."""

from __future__ import annotations

from model_def.storage.client import Client
from model_def.storage.endpoint import endpoint
from model_def.storage.gcs import GCSClient
from model_def.storage.obstore import ObstoreClient
from model_def.storage.obstore_stores import require_obstore
from model_def.storage.options import Options
from model_def.storage.s3 import S3Client


def client_for(scheme: str, options: Options) -> Client:
    """A client of `s3` or `gs`. It connects when it is first used.

    Raises:
        ConfigError: the options ask for a package that isn't installed.
    """
    usual: Client = S3Client(options) if scheme == "s3" else GCSClient(options)
    if options.client == "default":
        return usual
    require_obstore()
    return ObstoreClient(usual, options, endpoint=endpoint(scheme, options))
