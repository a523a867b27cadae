"""What a search may draw."""

import pytest

from model_def.samples import count, drawn, sampled

SEARCH = {
    "config_file": {"type": "categorical", "vals": ["a.py", "b.py", "c.py"]},
    "global_batch_size": {"type": "log", "base": 2, "minval": 1, "maxval": 3},
    "override_mmdet_config": {
        "lr": {"type": "log", "base": 10, "minval": -3, "maxval": -1},
        "flip": [{"type": "RandomFlip", "prob": {"type": "double", "minval": 0.1, "maxval": 0.5}}],
        "size": {"type": "const", "val": 7},
    },
}


def test_all_choices_and_both_ends_are_in_as_few_draws_as_can_be():
    draws = [sampled(SEARCH, number) for number in range(count(SEARCH))]
    assert [draw["config_file"] for draw in draws] == ["a.py", "b.py", "c.py"]
    assert [draw["global_batch_size"] for draw in draws] == [2, 8, 2]
    assert [draw["override_mmdet_config"]["lr"] for draw in draws[:2]] == pytest.approx([0.001, 0.1])
    assert draws[1]["override_mmdet_config"]["flip"] == [{"type": "RandomFlip", "prob": 0.5}]
    assert draws[2]["override_mmdet_config"]["size"] == 7


def test_a_draw_in_words_has_the_keys_of_the_command_line():
    assert drawn(SEARCH, 1) == "config_file=b.py global_batch_size=8 lr=0.1 flip.0.prob=0.5"


@pytest.mark.parametrize(
    "broken",
    [{"type": "log", "minval": 1, "maxval": 3}, {"type": "int", "minval": 1, "maxval": "x"}, {"type": "categorical"}],
)
def test_a_search_that_is_wrong_stays_for_whoever_tells_it(broken):
    assert sampled({"a": broken}, 0) == {"a": broken}
    assert count({"a": broken}) == 1
