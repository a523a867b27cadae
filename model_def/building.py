"""What MMDetection says when it can't build something from a config, as a message about the config."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator

from model_def.errors import ConfigError

# What its constructors raise for arguments that don't suit them; anything else is a defect.
_REFUSALS = (
    AssertionError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    NotImplementedError,
    TypeError,
    ValueError,
)


@contextlib.contextmanager
def building(part: str) -> Iterator[None]:
    """Name the line of MMDetection's code that refused, and what it said.

    Raises:
        ConfigError: in place of what a constructor raises.
    """
    try:
        yield
    except _REFUSALS as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        raise ConfigError(
            what=f"MMDetection can't build the {part} from this config",
            value=str(error) or line.line,
            where=f"{line.filename}:{line.lineno}, in {line.name}",
            next="look up this argument in the config, or take an override back",
        ) from error
