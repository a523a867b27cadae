"""Config files: where they are looked for, and what is said about one that is missing or broken."""

from __future__ import annotations

import pathlib

import pytest

from model_def.compose.find import find_config
from model_def.compose.load import load_config
from model_def.errors import ConfigError
from model_def.zoo import zoo, zoo_names

RETINANET = "retinanet/retinanet_r18_fpn_1x_coco"


def find(name: str, context: pathlib.Path) -> pathlib.Path:
    return find_config(name, context=context, where="e.yaml:3:3 (hyperparameters.config_file)")


def test_zoo_path_with_and_without_py(tmp_path: pathlib.Path) -> None:
    assert find(RETINANET, tmp_path) == find(RETINANET + ".py", tmp_path) == zoo() / f"{RETINANET}.py"


def test_relative_to_a_package(tmp_path: pathlib.Path) -> None:
    (tmp_path / "retinanet").mkdir()
    (tmp_path / f"{RETINANET}.py").write_text("a = 1")
    for name in (f"mmdet::{RETINANET}.py", f"mmdet::{RETINANET}"):
        assert find(name, tmp_path) == zoo() / f"{RETINANET}.py"
    with pytest.raises(ConfigError, match="the package mmdt isn't installed"):
        find(f"mmdt::{RETINANET}", tmp_path)
    with pytest.raises(ConfigError, match="no such config file") as caught:
        find("mmdet::retinanet/retinanet_r18.py", tmp_path)
    assert str(tmp_path) not in str(caught.value)


def test_context_then_config_dir_then_zoo(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extra, context = tmp_path / "extra", tmp_path / "context"
    for folder in (extra, context):
        (folder / "retinanet").mkdir(parents=True)
        (folder / f"{RETINANET}.py").write_text("a = 1")
    monkeypatch.setenv("MMDETECTION_CONFIG_DIR", str(extra))
    assert find(RETINANET, context) == context / f"{RETINANET}.py"
    assert find(RETINANET, tmp_path) == extra / f"{RETINANET}.py"
    assert find(str(context / f"{RETINANET}.py"), tmp_path) == context / f"{RETINANET}.py"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("retinanet/retinanet_r18_fpn_1x_cocoo.py", "retinanet/retinanet_r18_fpn_1x_coco.py"),
        ("mask_rcnn_r50_fpn_1x_coco.py", "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"),  # mmdet 2.x
        ("retinanet_r18_fpn_1x_coco.py", "retinanet/retinanet_r18_fpn_1x_coco.py"),
        ("configs/my_modle.py", "configs/my_model.py"),
    ],
)
def test_nearest_names(name: str, near: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "my_model.py").write_text("a = 1")
    with pytest.raises(ConfigError, match="no such config file") as caught:
        find(name, tmp_path)
    (problem,) = caught.value.problems
    assert f"`{near}`" in problem.next
    assert problem.value == name
    assert problem.where == "e.yaml:3:3 (hyperparameters.config_file)"


def test_nothing_near_says_how_to_list(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="model_def ls"):
        find("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", tmp_path)


def test_zoo_has_no_bases() -> None:
    names = zoo_names()
    assert len(names) > 700
    assert not [name for name in names if "_base_" in name]


BROKEN = {
    "not Python": ("a = 1\nb = (\n", "isn't Python", "config.py:2"),
    "raises": ("a = 1\n\nb = a / 0\n", "ZeroDivisionError", "config.py:3"),
    "missing base": ("_base_ = './nowhere.py'\n", "`_base_` of the config is missing", "config.py"),
    "missing import": (
        "custom_imports = dict(imports=['no_such_module'], allow_failed_imports=False)\n",
        "no_such_module",
        "",
    ),
    "dict over a number": ("_base_ = './base.py'\na = dict(b=1)\n", "TypeError", "config.py"),
    "unknown name": ("a = undefined\n", "NameError", "config.py:1"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_configs(kind: str, tmp_path: pathlib.Path) -> None:
    text, what, where = BROKEN[kind]
    (tmp_path / "base.py").write_text("a = 1\n")
    path = tmp_path / "config.py"
    path.write_text(text)
    with pytest.raises(ConfigError, match=what) as caught:
        load_config(path, context=tmp_path, where="e.yaml:3:3 (hyperparameters.config_file)")
    (problem,) = caught.value.problems
    assert where in problem.where
    assert "e.yaml:3:3" in problem.where
    assert problem.allowed
    assert problem.next


def test_the_broken_file_of_a_chain_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "base.py").write_text("a = 1\nb = a.nothing\n")
    (tmp_path / "config.py").write_text("_base_ = './base.py'\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "config.py", context=tmp_path, where="e.yaml")
    assert "base.py:2" in caught.value.problems[0].where


def test_custom_imports_find_modules_of_the_context(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    (tmp_path / "my_transforms_of_this_test.py").write_text("loaded = True\n")
    path = tmp_path / "config.py"
    path.write_text("custom_imports = dict(imports=['my_transforms_of_this_test'], allow_failed_imports=False)\n")
    assert load_config(path, context=tmp_path, where="e.yaml")["custom_imports"]["imports"]
    import my_transforms_of_this_test

    assert my_transforms_of_this_test.loaded


def test_the_pure_python_style_loads_too(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "config.py"
    path.write_text("from mmengine.config import read_base\nfrom mmdet.models import FPN\nneck = dict(type=FPN)\n")
    assert load_config(path, context=tmp_path, where="e.yaml")["neck"]["type"].endswith("FPN")
