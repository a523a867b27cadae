"""What boto3 raises, as errors of a store."""

from __future__ import annotations

from typing import Any

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
    WrongRegion,
)

# By the code that S3 answers with; the answer to HEAD has no body, so its code is the HTTP status.
CODES: dict[str, type[StorageError]] = {
    **dict.fromkeys(("NoSuchKey", "NotFound", "404"), ObjectMissing),
    **dict.fromkeys(("NoSuchBucket", "InvalidBucketName"), BucketMissing),
    **dict.fromkeys(("AccessDenied", "AllAccessDisabled", "Forbidden", "403", "401"), AccessDenied),
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"), NoCredentials),
    "RequestTimeTooSkewed": ClockSkew,
    **dict.fromkeys(
        ("SlowDown", "RequestTimeout", "Throttling", "ThrottlingException", "TooManyRequests"), Interrupted
    ),
    **dict.fromkeys(("PermanentRedirect", "AuthorizationHeaderMalformed", "301"), WrongRegion),
    "BadDigest": Damaged,
}
# By the name of the class in botocore.exceptions or urllib3.exceptions.
CLASSES: dict[str, type[StorageError]] = {
    **dict.fromkeys(
        ("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError"), Unreachable
    ),
    **dict.fromkeys(("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"), NoCredentials),
    **dict.fromkeys(("TokenRetrievalError", "UnauthorizedSSOTokenError", "SSOTokenLoadError"), NoCredentials),
    **dict.fromkeys(("ProfileNotFound", "ConfigNotFound", "InvalidConfigError"), NoCredentials),
    **dict.fromkeys(("FlexibleChecksumError", "ChecksumError"), Damaged),
    **dict.fromkeys(("ParamValidationError", "ValueError", "NoRegionError", "InvalidRegionError"), Refused),
}


def told(error: Exception, address: Address, *, server: str, answered: bool = False) -> StorageError:
    """The error that says what `error` means.

    Args:
        error: what boto3 raised.
        address: of the object.
        server: its host, if it isn't Amazon's.
        answered: the error came in the middle of an answer's body.
    """
    answer: dict[str, Any] = getattr(error, "response", None) or {}
    code = str(answer.get("Error", {}).get("Code", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code or status:
        kind = _kind(code, status)
    else:
        kind = CLASSES.get(type(error).__name__, Interrupted if answered else Unreachable)
    return kind.of(address, code or type(error).__name__, server=server)


def _kind(code: str, status: int) -> type[StorageError]:
    busy = status >= 500 or status == 429
    return CODES.get(code) or (Interrupted if busy else CODES.get(str(status), Refused))
