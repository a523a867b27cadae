"""Speed and the time that is left."""

import pytest

from model_def.report.pace import Pace, clock


def test_eta_counts_iterations_and_validations_apart():
    pace, now = Pace(pauses_left=3), 0.0
    for _ in range(10):
        now += 2.0
        pace.iteration(now)
    pace.pause(now)
    pace.resume(now + 30.0)
    pace.iteration(now + 32.0)
    assert pace.eta(100) == pytest.approx(100 * 2.0 + 3 * 30.0)


def test_the_first_iteration_is_no_measure():
    pace = Pace()
    pace.iteration(60.0)
    assert pace.eta(10) is None
    pace.iteration(61.0)
    assert pace.eta(10) == pytest.approx(10.0)


def test_a_validation_is_guessed_until_one_was_measured():
    pace = Pace(pauses_left=2, pause_guess=4.0)
    pace.iteration(0.0)
    pace.iteration(1.0)
    assert pace.eta(10) == pytest.approx(10 + 2 * 4.0)


def test_a_change_of_speed_is_followed():
    pace, now = Pace(), 0.0
    for seconds in [1.0] * 100 + [3.0] * 100:
        now += seconds
        pace.iteration(now)
    assert pace.eta(1) == pytest.approx(3.0, rel=0.02)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (0, "0:00"), (75, "1:15"), (3675, "1:01:15"), (59.7, "1:00")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text
