"""Which server is asked."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from model_def.storage.options import Options

# Where the libraries look for a server other than Amazon's or Google's.
VARIABLES = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), "gs": ("STORAGE_EMULATOR_HOST",)}


def endpoint(scheme: str, options: Options) -> str:
    """The URL of the server, as far as it isn't the usual one."""
    told = (os.environ.get(name, "") for name in VARIABLES[scheme])
    return options.endpoint_url or next(filter(None, told), "")


def host(url: str) -> str:
    """The host and port of a URL, without what else it may hold: a password, for example."""
    return urlsplit(url).netloc.rpartition("@")[2]
