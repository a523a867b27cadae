"""The states of Python's, numpy's and torch's random number generators, as plain data."""

from __future__ import annotations

import array
import random
from typing import Any, NamedTuple

import numpy as np
import torch


class RngState(NamedTuple):
    """Where the three CPU generators are.

    The long words are bytes: short in a file, quick to compare, and one object can stand in many states.

    Attributes:
        python: version, words, position, cached gaussian.
        numpy: generator's name, words, position, whether it has a cached gaussian, that gaussian.
        torch: the generator's state.
    """

    python: tuple[int, bytes, int, float | None]
    numpy: tuple[str, bytes, int, int, float]
    torch: bytes


def rng_state() -> RngState:
    """The states now."""
    version, words, gaussian = random.getstate()
    name, key, position, has_gaussian, cached = np.random.get_state(legacy=True)
    return RngState(
        python=(version, array.array("I", words[:-1]).tobytes(), words[-1], gaussian),
        numpy=(str(name), np.asarray(key).tobytes(), int(position), int(has_gaussian), float(cached)),
        torch=torch.get_rng_state().numpy().tobytes(),
    )


def set_rng_state(state: Any) -> None:
    """Put what `rng_state` returned back; a plain tuple of it will do."""
    python, numpy, torchs = state
    version, words, position, gaussian = python
    random.setstate((version, (*array.array("I", words), position), gaussian))
    name, key, *rest = numpy
    np.random.set_state((name, np.frombuffer(key, dtype=np.uint32), *rest))
    torch.set_rng_state(torch.frombuffer(bytearray(torchs), dtype=torch.uint8))


def sharing(state: RngState, earlier: RngState | None) -> RngState:
    """`state`, made of `earlier`'s objects where they are equal: then many states take little room."""
    if earlier is None:
        return state
    python = (state.python[0], _same(state.python[1], earlier.python[1]), *state.python[2:])
    numpy = (state.numpy[0], _same(state.numpy[1], earlier.numpy[1]), *state.numpy[2:])
    return RngState(python=python, numpy=numpy, torch=_same(state.torch, earlier.torch))


def _same(words: bytes, earlier: bytes) -> bytes:
    return earlier if words == earlier else words
