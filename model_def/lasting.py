"""Failures that a restart can't mend. On a cluster they end a trial at once, whatever `max_restarts` says."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError

from model_def.errors import MMDetTrialError, Stopped

# The experiments' log policies look for these words.
MARK = "A restart can't mend this"

# What mistakes in code raise. A lost machine, a full disk or a broken connection raises none of them.
_MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    FileNotFoundError,
    ImportError,
    LookupError,
    NameError,
    NotImplementedError,
    SyntaxError,
    TypeError,
    ValueError,
)


def lasts(error: BaseException) -> bool:
    """Whether the same would happen again after a restart."""
    if isinstance(error, Stopped) or any(_passes(one) for one in _causes(error)):
        return False
    return isinstance(error, (MMDetTrialError, *_MISTAKES))


def message(error: Exception) -> str:
    """What to print. The line with the mark says what is wrong: a master repeats it at the end of the trial's log."""
    if isinstance(error, MMDetTrialError):
        return f"{MARK}: {error}"
    first, *_ = str(error).splitlines() or [""]
    trace = "".join(traceback.format_exception(error))
    return f"{trace}{MARK}: {type(error).__name__}: {first} ({own_line(error) or 'see above'})"


def own_line(error: BaseException) -> str:
    """`my_parts.py:12, in transform`: the last line of the user's own code before an error; "" if there is none."""
    installed = {Path(place).resolve() for place in (sys.prefix, sys.base_prefix, Path(__file__).parent)}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename[0] != "<" and not installed & {*Path(frame.filename).resolve().parents}:
            return f"{frame.filename}:{frame.lineno}, in {frame.name}"
    return ""


def tell_launcher(text: str) -> None:
    """Leave the message where torchrun looks for it: its report then ends with this, and not with a link."""
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if path:
        extra = {"timestamp": str(int(time.time()))}
        Path(path).write_text(json.dumps({"message": {"message": text, "extraInfo": extra}}))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def _passes(error: BaseException) -> bool:
    """Whether this is the network's or a server's trouble, which may be over after a while."""
    if isinstance(error, HTTPError):
        return error.code >= 500
    return isinstance(error, ConnectionError | TimeoutError | URLError)
