"""A Determined master, asked from outside: through Determined's SDK, with its failures as messages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import requests
from determined.common.api import errors, get_default_master_url
from determined.experimental import Determined

from model_def.errors import UserError

LOGIN = "det user login USER, or export DET_USER=… DET_PASS=…"


@contextlib.contextmanager
def reached(url: str) -> Iterator[None]:
    """What the SDK raises where a master can't be reached, or doesn't know us, as a message.

    Args:
        url: the master's, for the message.

    Raises:
        UserError: in place of it.
    """
    where = "--master, or DET_MASTER"
    try:
        yield
    except (errors.UnauthenticatedException, errors.ForbiddenException, EOFError) as error:
        what, allowed = f"the master wants a login ({error})", "a user whom this master knows"
        raise UserError(what=what, value=url, where=where, allowed=allowed, next=LOGIN) from error
    except (errors.BadRequestException, requests.RequestException, ValueError) as error:
        reason = "" if isinstance(error, errors.MasterNotFoundException) else f" ({error})"
        what, allowed = f"no Determined master answers{reason}", "http(s)://HOST:PORT of a master"
        raise UserError(what=what, value=url, where=where, allowed=allowed, next=f"curl {url}/info") from error


@contextlib.contextmanager
def refusals(url: str) -> Iterator[None]:
    """What a master refuses for another reason, as a message.

    Raises:
        UserError: in place of it.
    """
    try:
        yield
    except errors.APIException as error:
        where, allowed = f"the master at {url}", "what its own configuration lets a user do"
        next_step = "correct it in the experiment (workspace, project, labels), or train without --master"
        raise UserError(what=f"the master refuses: {error}", where=where, allowed=allowed, next=next_step) from error


def logged_in(url: str | None = None) -> Determined:
    """A client of the master at `url` (default: `$DET_MASTER`) that has a valid login.

    Raises:
        UserError: nobody answers there, or nobody is logged in.
    """
    with reached(url or get_default_master_url()):
        client = Determined(master=url)
        client.whoami()
        return client
