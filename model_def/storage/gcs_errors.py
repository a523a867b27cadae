"""What google's libraries raise, as errors of a store."""

from __future__ import annotations

from model_def.storage.address import Address
from model_def.storage.client import (
    AccessDenied,
    BucketMissing,
    ClockSkew,
    Damaged,
    Interrupted,
    NoCredentials,
    ObjectMissing,
    Refused,
    StorageError,
    Unreachable,
)

STATUS: dict[int, type[StorageError]] = {401: NoCredentials, 403: AccessDenied, 404: ObjectMissing}
# By the name of the class in google.auth.exceptions, google.cloud.storage.exceptions or requests.
CLASSES: dict[str, type[StorageError]] = {
    **dict.fromkeys(("DefaultCredentialsError", "RefreshError", "ReauthFailError", "MalformedError"), NoCredentials),
    **dict.fromkeys(("MissingSchema", "InvalidSchema", "InvalidURL", "ValueError"), Refused),
    # requests says ConnectionError of a body that stops, and of a connection that was never made
    **dict.fromkeys(("ChunkedEncodingError", "ContentDecodingError"), Interrupted),
    "DataCorruption": Damaged,
}


def told(error: Exception, address: Address, *, server: str) -> StorageError:
    """The error that says what `error` means for `address`; `server` is its host, if it isn't Google's."""
    status = int(getattr(error, "code", None) or 0)
    kind = _kind(error, status)
    return kind.of(address, f"HTTP {status}" if status else type(error).__name__, server=server)


def _kind(error: Exception, status: int) -> type[StorageError]:
    text = str(error)
    if status == 404 and "bucket" in text.lower() and "not exist" in text:
        return BucketMissing
    if status:
        busy = status >= 500 or status in (408, 429)
        return Interrupted if busy else STATUS.get(status, Refused)
    if "reasonable timeframe" in text:  # of a signed token; the class is that of any refused credentials
        return ClockSkew
    return CLASSES.get(type(error).__name__, Interrupted if _in_body(error) else Unreachable)


def _in_body(error: Exception) -> bool:
    """Whether a ConnectionError (of Python, or of requests over urllib3's) came when the answer had begun."""
    inner = type(error.args[0] if error.args else None).__name__
    return type(error) is ConnectionError or (type(error).__name__, inner) == ("ConnectionError", "ReadTimeoutError")
