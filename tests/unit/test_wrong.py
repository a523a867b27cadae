"""The corpus of wrong inputs: each gives its message, the whole of it and nothing else, and leaves nothing behind."""

from __future__ import annotations

import pathlib

import pytest

from model_def import cli
from tests.support.wrong import Wrong, corpus

CORPUS = dict(corpus())


def test_it_is_a_corpus() -> None:
    assert len(CORPUS) >= 150
    assert all("  next:    " in wrong.says and "  where:   " in wrong.says for wrong in CORPUS.values())


@pytest.mark.parametrize("name", CORPUS)
def test_the_message(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong: Wrong = CORPUS[name]
    wrong.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(path for path in tmp_path.rglob("*"))
    code = cli.main(["train", "tiny.yaml", *wrong.run])
    said = capsys.readouterr().err.replace(f"{tmp_path}/", "")
    assert wrong.is_said(said), f"{said}\nin the place of\n{wrong.says}"
    assert code == 2
    assert sorted(path for path in tmp_path.rglob("*") if "__pycache__" not in str(path)) == before
