"""What is kept off the screen, and what must not be."""

import io
import logging
import sys
import warnings

import pytest
from mmengine.logging import MMLogger
from rich.console import Console

from model_def.report.quiet import quiet


@pytest.fixture
def console():
    return Console(file=io.StringIO(), soft_wrap=True, highlight=False)


def test_chatter_goes_and_the_rest_stays_in_order(console):
    with quiet(console):
        print("first")
        print("loading annotations into memory...")
        print("Done (t=0.01s)")
        print("second", "words")
    assert console.file.getvalue() == "first\nsecond words\n"


def test_mmengine_information_goes_with_all_its_lines_but_warnings_stay(console, tmp_path):
    log = tmp_path / "log"
    with quiet(console):
        logger = MMLogger(name="quiet", logger_name=f"quiet-{tmp_path.name}", log_file=str(log), distributed=False)
        logger.info("Config:\nlr = 1\nmomentum = 2")
        logger.warning("this one matters\nand so does its second line")
        logger.log(logging.ERROR, "so does this")
    shown = console.file.getvalue()
    assert "lr = 1" not in shown
    assert "momentum" not in shown
    assert "this one matters\nand so does its second line" in shown
    assert "so does this" in shown
    assert "momentum = 2" in next(tmp_path.rglob("*log*")).read_text() if log.is_dir() else log.read_text()


def test_an_unknown_warning_is_shown(console, recwarn):
    with quiet(console):
        warnings.warn("torch.meshgrid: in an upcoming release, it will be required", UserWarning, stacklevel=1)
        warnings.warn("your data set has no boxes", UserWarning, stacklevel=1)
    assert [str(w.message) for w in recwarn] == ["your data set has no boxes"]


def test_everything_is_as_before_afterwards(console):
    before, filters = sys.stdout, list(warnings.filters)
    with pytest.raises(ValueError, match="inside"), quiet(console):
        raise ValueError("inside")
    assert sys.stdout is before
    assert list(warnings.filters) == filters
