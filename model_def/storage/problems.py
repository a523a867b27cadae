"""Errors of a store, as messages for the user."""

from __future__ import annotations

import difflib
import re

from model_def.errors import DataError
from model_def.storage.address import Address, is_remote
from model_def.storage.client import BucketMissing, Client, NoCredentials, ObjectMissing, StorageError

LOOK = 1000  # keys among which the nearest is looked for
SHOWN = 3
CREDENTIALS = {
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a public bucket: write `anonymous: true`",
    "gs": "`gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS; a public bucket: write "
    "`anonymous: true`",
}
ABOUT = re.compile(r"(?P<what>.*): (?P<url>(?:s3|gs)://.*?)(?P<more> \(tried [^()]*\))?")  # as `StorageError.of` writes


def problem(error: StorageError, *, where: str, client: Client | None = None, then: str = "") -> DataError:
    """What `error` means for the user.

    Args:
        error: it may have come out of a DataLoader's worker: then its text begins with the worker's traceback.
        where: the place in the experiment that names the object.
        client: of the store; with it, a missing object comes with the nearest ones that are there.
        then: what to do after the mistake is mended.
    """
    text = said(error)
    found = ABOUT.fullmatch(text)
    url, what = (found["url"], found["what"] + (found["more"] or "")) if found else (error.url, text)
    near: list[str] = []
    if client and isinstance(error, ObjectMissing) and is_remote(url):
        try:
            near = nearest(client, Address.parse(url))
        except BucketMissing as missing:
            return problem(missing, where=where, then=then)
    told = CREDENTIALS.get(url.partition(":")[0], "") if isinstance(error, NoCredentials) else error.next
    return DataError(
        what=what,
        value=url,
        where=where,
        allowed=f"for example {', '.join(near)}" if near else "",
        next="; ".join(filter(None, (told or error.next, then))),
    )


def said(error: StorageError) -> str:
    """Its own words, without the traceback of the worker that it came from."""
    return re.sub(r"^[\w.]*\.(?=[A-Z])\w+: ", "", str(error).strip().splitlines()[-1])


def nearest(client: Client, address: Address) -> list[str]:
    """The URLs that are there and most like `address`: below the longest part of its path that is there.

    Nothing if the bucket is empty, or can't be listed.

    Raises:
        BucketMissing: there is no such bucket.
    """
    try:
        above, name = address.parent, address.name
        while above.key and not any(True for _ in client.list(above.folder, limit=1)):
            above, name = above.parent, above.name
        found = [stat.address for stat in client.list(above.folder, deep=False, limit=LOOK)]
    except BucketMissing:
        raise
    except StorageError:
        return []
    names = {there.name: str(there) for there in found if there.name}
    close = difflib.get_close_matches(name, names, n=SHOWN, cutoff=0.5) or [*names][:SHOWN]
    return [names[there] for there in close]
