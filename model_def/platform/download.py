"""Checkpoints of a cluster, brought to this machine through Determined's SDK."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from determined.common.api import errors, get_default_master_url
from determined.experimental import Determined

from model_def.errors import WeightsError
from model_def.storage.cache import user_cache

LOGIN = "det user login USER, or export DET_USER=… DET_PASS=…"


def downloaded(uuid: str) -> Path:
    """The folder of a cluster's checkpoint, fetched from its storage unless it is in the cache.

    Raises:
        WeightsError: no master answers, it knows neither us nor the checkpoint, or the storage doesn't give it.
    """
    folder = user_cache("checkpoints") / uuid
    if not folder.is_dir():
        with _told(uuid):
            _fetch(uuid, folder)
    return folder


def _fetch(uuid: str, folder: Path) -> None:
    """Whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as part:
        Determined().get_checkpoint(uuid).download(f"{part}/{uuid}")
        with contextlib.suppress(OSError):  # another process was faster
            os.rename(f"{part}/{uuid}", folder)


@contextlib.contextmanager
def _told(uuid: str) -> Iterator[None]:
    """What the SDK raises, as a message."""
    try:
        yield
    except errors.NotFoundException as error:
        raise _error("the master knows no such checkpoint", uuid, "det experiment list-checkpoints ID") from error
    except (errors.UnauthenticatedException, errors.ForbiddenException, EOFError) as error:
        raise _error(f"the master wants a login ({error})", uuid, LOGIN) from error
    except errors.MasterNotFoundException as error:
        raise _error("no master answers", uuid, "export DET_MASTER=http://HOST:8080") from error
    except Exception as error:  # each storage's library has its own
        reason = str(error.__cause__ or error).partition("\n")[0] or type(error).__name__
        what, next_step = f"the checkpoint can't be fetched ({reason})", "see that its storage can be read from here"
        raise _error(what, uuid, next_step) from error


def _error(what: str, uuid: str, next_step: str) -> WeightsError:
    return WeightsError(
        what=what,
        value=uuid,
        where=f"the master at {get_default_master_url()} (DET_MASTER)",
        allowed="the UUID of a checkpoint, which the web UI and `det` show",
        next=next_step,
    )
