"""What several threads bring is done by one at a time: nobody waits for long, and nothing is forgotten."""

from __future__ import annotations

import collections
import functools
import multiprocessing
import pickle
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_def.storage.in_turn import MOST, InTurn

SECONDS = 10  # for what must come at once


Act = Callable[[], object]


class Slow:
    """Acts that say when they begin, and end when they may."""

    def __init__(self) -> None:
        self.began, self.turns = threading.Event(), threading.Semaphore(0)
        self.names: list[str] = []

    def act(self, name: str) -> Act:
        """One that adds its name."""

        def act() -> None:
            self.began.set()
            assert self.turns.acquire(timeout=SECONDS)
            self.names.append(name)

        return act


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def in_turn(slow):
    """Somebody does `first`, and is in the middle of it."""
    in_turn = InTurn()
    thread = threading.Thread(target=in_turn, args=(slow.act("first"),))
    thread.start()
    assert slow.began.wait(SECONDS)
    yield in_turn
    slow.turns.release(100)
    thread.join(SECONDS)


def waiting(in_turn: InTurn, slow: Slow) -> tuple[threading.Thread, queue.Queue[list[str]]]:
    """A thread that waits for `second`, and then tells what is done."""
    told: queue.Queue[list[str]] = queue.Queue()

    def wait() -> None:
        in_turn(slow.act("second"), wait=True)
        told.put(slow.names)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, told


def done(thread: threading.Thread, slow: Slow) -> None:
    slow.turns.release(100)
    thread.join(SECONDS)
    assert not thread.is_alive()


def test_who_comes_meanwhile_goes_on_at_once(in_turn, slow):
    in_turn(slow.act("second"))
    in_turn(slow.act("third"))
    assert not slow.names
    slow.turns.release(100)
    in_turn(slow.act("last"), wait=True)
    assert slow.names == ["first", "second", "third", "last"]


def test_who_waits_finds_it_there(in_turn, slow):
    thread, told = waiting(in_turn, slow)
    time.sleep(0.05)
    assert told.empty()
    done(thread, slow)
    assert told.get_nowait() == ["first", "second"]


def test_no_more_than_some_wait(in_turn, slow):
    for number in range(MOST):
        in_turn(slow.act(str(number)))
    thread = threading.Thread(target=in_turn, args=(slow.act("one too many"),))
    thread.start()
    time.sleep(0.05)
    assert thread.is_alive()
    done(thread, slow)
    assert slow.names[-1] == "one too many"


def test_who_waits_finds_there_what_another_has_taken_along(in_turn, slow):
    """The other takes it before we look whether it is our turn, and is not done when we do."""
    taken = threading.Event()

    class Acts(collections.deque[Act]):
        def append(self, one: Act) -> None:
            super().append(one)
            slow.began.clear()
            slow.turns.release()
            assert slow.began.wait(SECONDS)
            taken.set()

    in_turn._own().acts = Acts()

    thread, told = waiting(in_turn, slow)
    assert taken.wait(SECONDS)
    time.sleep(0.05)
    assert told.empty()
    done(thread, slow)
    assert told.get_nowait() == ["first", "second"]


def test_who_comes_when_the_other_has_just_looked_is_not_forgotten():
    done: list[str] = []
    in_turn = InTurn()

    class Lock:
        """One that somebody comes to before it is released."""

        def __init__(self) -> None:
            self.real, self.comes = threading.Lock(), ["late"]

        def acquire(self, *, blocking: bool) -> bool:
            return self.real.acquire(blocking=blocking)

        def release(self) -> None:
            if self.comes:
                in_turn(functools.partial(done.append, self.comes.pop()))
            self.real.release()

    in_turn._own().lock = Lock()
    in_turn(lambda: done.append("first"))
    assert done == ["first", "late"]


def test_none_is_forgotten_or_done_twice():
    done: list[int] = []

    def act(number: int) -> None:
        time.sleep(0)  # others come here
        done.append(number)

    in_turn = InTurn()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda number: in_turn(lambda: act(number)), range(5000)))
    assert sorted(done) == list(range(5000))


def test_an_error_does_not_stop_the_next():
    done: list[str] = []

    def bad() -> None:
        raise ValueError("bad")

    in_turn = InTurn()
    with pytest.raises(ValueError, match="bad"):
        in_turn(bad)
    in_turn(lambda: done.append("good"))
    assert done == ["good"]


def test_a_child_forked_in_the_middle_does_its_own(in_turn):
    fork = multiprocessing.get_context("fork")
    there = fork.Queue()
    process = fork.Process(target=lambda: in_turn(lambda: there.put("the child's"), wait=True))
    process.start()
    assert there.get(timeout=SECONDS) == "the child's"
    process.join(SECONDS)
    assert process.exitcode == 0


def test_it_can_be_pickled(in_turn):
    done: list[str] = []
    pickle.loads(pickle.dumps(in_turn))(lambda: done.append("here"), wait=True)
    assert done == ["here"], "the other's turn is not its own"
