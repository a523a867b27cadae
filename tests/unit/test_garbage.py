"""The pause of the garbage collector."""

from __future__ import annotations

import gc

import pytest

from model_def.garbage import uncollected


def test_pauses_and_goes_on_even_after_an_error() -> None:
    collects = []
    with pytest.raises(ValueError, match="nothing"), uncollected():
        collects.append(gc.isenabled()) or int("nothing")
    assert [*collects, gc.isenabled()] == [False, True]


def test_who_has_paused_outside_stays_paused() -> None:
    with uncollected():
        with uncollected():
            pass
        assert not gc.isenabled()


def test_modules_are_not_looked_through_later_and_other_objects_are() -> None:
    gc.unfreeze()
    with uncollected():
        kept = [[number] for number in range(10)]
    assert gc.get_freeze_count() == 0
    with uncollected(modules=True):
        pass
    assert gc.get_freeze_count() > len(kept)
    gc.unfreeze()
