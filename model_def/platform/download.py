"""Checkpoints of a cluster, brought to this machine through Determined's SDK."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from determined.common.api import errors

from model_def.errors import WeightsError
from model_def.platform.master import logged_in
from model_def.storage.cache import user_cache


def downloaded(uuid: str) -> Path:
    """The folder of a cluster's checkpoint, fetched from its storage unless it is in the cache.

    Raises:
        UserError: no master answers, or it doesn't know us.
        WeightsError: it knows no such checkpoint, or the storage doesn't give it.
    """
    folder = user_cache("checkpoints") / uuid
    if not folder.is_dir():
        master = logged_in()
        with _told(uuid, master._session.master):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as part:
                master.get_checkpoint(uuid).download(f"{part}/{uuid}")
                with contextlib.suppress(OSError):  # another process was faster
                    os.rename(f"{part}/{uuid}", folder)
    return folder


@contextlib.contextmanager
def _told(uuid: str, master: str) -> Iterator[None]:
    try:
        yield
    except errors.NotFoundException as error:
        what, next_step = "the master knows no such checkpoint", "det experiment list-checkpoints ID"
        raise _error(what, uuid, master, next_step) from error
    except Exception as error:  # each storage's library has its own
        reason = [*str(error.__cause__ or error).splitlines(), type(error).__name__][0]
        what = f"the checkpoint can't be fetched ({reason})"
        raise _error(what, uuid, master, "see that its storage can be read from here") from error


def _error(what: str, uuid: str, master: str, next_step: str) -> WeightsError:
    allowed = "the UUID of a checkpoint that is kept, as the web UI and `det` show it"
    return WeightsError(what=what, value=uuid, where=f"the master at {master}", allowed=allowed, next=next_step)
