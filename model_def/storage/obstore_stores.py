"""Stores of the package `obstore`, with the credentials that boto3 and Google's own libraries would use."""

from __future__ import annotations

import datetime
import importlib.util
from typing import Any

from model_def.errors import ConfigError
from model_def.storage.address import Address
from model_def.storage.options import Options
from model_def.storage.patience import CONNECT, READ

SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
WHOLE = 6 * READ  # seconds for a whole image


def require_obstore() -> None:
    """The package is installed; it is not imported here.

    Raises:
        ConfigError: it isn't.
    """
    if importlib.util.find_spec("obstore") is None:
        raise ConfigError(
            what="the package obstore is not installed",
            value="obstore",
            where="file_client_args.client",
            allowed="`client: default`, or the package",
            next='pip install "determined-mmdet[obstore]"',
        )


def new_store(address: Address, options: Options, *, endpoint: str) -> Any:
    """The store of the address's bucket; `Patience` is the caller's, so it doesn't try again by itself."""
    words: dict[str, Any] = {
        "client_options": {
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": f"{CONNECT:.0f}s",
            "timeout": f"{WHOLE:.0f}s",
            "pool_max_idle_per_host": str(options.threads),
        },
        "retry_config": {"max_retries": 0},
    }
    return (_s3 if address.scheme == "s3" else _gcs)(address.bucket, options, endpoint, words)


def _s3(bucket: str, options: Options, endpoint: str, words: dict[str, Any]) -> Any:
    import boto3.session
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import S3Store

    session = boto3.session.Session(region_name=options.region or None)
    words["region"] = session.region_name or "us-east-1"
    if endpoint:
        words["endpoint"] = endpoint
    if options.anonymous:
        words["skip_signature"] = True
    else:
        words["credential_provider"] = Boto3CredentialProvider(session)
    return S3Store(bucket, **words)


def _gcs(bucket: str, options: Options, endpoint: str, words: dict[str, Any]) -> Any:
    from obstore.store import GCSStore

    if endpoint:
        words["base_url"] = endpoint
    if options.anonymous or (endpoint and not options.endpoint_url):  # an emulator, which takes no credentials
        words["skip_signature"] = True
    else:
        words["credential_provider"] = _Token()
    return GCSStore(bucket, **words)


class _Token:
    """Google's application default credentials, for obstore to call when it needs a token."""

    def __init__(self) -> None:
        import google.auth

        self._credentials, _ = google.auth.default(scopes=[SCOPE])

    def __call__(self) -> dict[str, Any]:
        from google.auth.transport.requests import Request

        if not self._credentials.valid:
            self._credentials.refresh(Request())  # type: ignore[no-untyped-call]
        expiry = self._credentials.expiry
        return {
            "token": self._credentials.token,
            "expires_at": expiry.replace(tzinfo=datetime.UTC) if expiry else None,
        }
