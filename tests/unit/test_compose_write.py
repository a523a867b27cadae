"""`config.py`: loads back equal, and in the same order."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from model_def.compose.write import write_config
from model_def.errors import ConfigError


def test_it_loads_back_equal_and_in_order(tmp_path):
    branches = {"type": "MultiBranch", "unsup_teacher": [{"type": "B"}], "unsup_student": [{"type": "A"}]}
    content = {
        "work_dir": "w" * 200,
        "model": {"type": "M", "scales": (1.5, (2, 3)), "none": None, "text": "a 'b' \"c\"\n{{ d }}", "empty": {}},
        "pipeline": [branches],
    }
    write_config(Config(content), tmp_path / "config.py")
    again = Config.fromfile(tmp_path / "config.py").to_dict()
    assert again == content
    assert list(again) == list(content)
    assert list(again["pipeline"][0]) == ["type", "unsup_teacher", "unsup_student"]  # each draws random numbers
    assert isinstance(again["model"]["scales"][1], tuple)


@pytest.mark.parametrize("value", [float("inf"), object()])
def test_what_has_no_form_in_python_is_refused_and_not_written(tmp_path, value):
    with pytest.raises(ConfigError, match="loads back equal"):
        write_config(Config({"model": {"limit": value}}), tmp_path / "config.py")
    assert list(tmp_path.iterdir()) == []
