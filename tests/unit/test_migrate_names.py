"""mmdet 2.x's names of config files."""

from __future__ import annotations

import functools
import pathlib

import pytest

from model_def.compose.find import find_config, renaming_note
from model_def.errors import ConfigError
from model_def.migrate.names import renamed
from model_def.zoo import zoo, zoo_names

LIST = pathlib.Path(__file__).parents[1] / "data" / "mmdet2_configs.txt"
PAIRS = [line.split() for line in LIST.read_text().splitlines() if not line.startswith("#")]
known = functools.cache(zoo_names)


def test_all_configs_of_mmdet_2() -> None:
    found = {old: renamed(f"/mmdetection/configs/{old}", known()) or "-" for old, _ in PAIRS}
    assert found == dict(PAIRS)
    assert len(found) == 634
    assert sum(new == "-" for new in found.values()) == 21


def test_names_of_today_are_their_own() -> None:
    wrong = {name: found for name in known() if (found := renamed(name, known())) not in (name, None)}
    assert not wrong


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fp16/faster_rcnn_r50_fpn_fp16_1x_coco.py", "faster_rcnn/faster-rcnn_r50_fpn_amp-1x_coco.py"),  # 2.0 to 2.19
        ("cityscapes/mask_rcnn_r50_fpn_1x_cityscapes.py", "cityscapes/mask-rcnn_r50_fpn_1x_cityscapes.py"),
        ("configs/my_model.py", None),
        ("ssd/ssd300_fp16_coco.py", None),  # without `fp16` it would be another training
        ("mine/faster_rcnn_r50_fpn_1x_coco.py", None),  # a slip in a path of one's own must not train another config
        ("faster_rcnn_r50_fpn_1x_coco.py", None),
    ],
)
def test_other_folders_and_no_config(old: str, new: str | None) -> None:
    assert renamed(old, known()) == new


def test_find_config_takes_an_old_name_and_says_so(tmp_path: pathlib.Path) -> None:
    old = "/mmdetection/configs/yolo/yolov3_d53_mstrain-608_273e_coco.py"
    found = find_config(old, context=tmp_path, where="e.yaml:1:1")
    assert found == zoo() / "yolo/yolov3_d53_8xb8-ms-608-273e_coco.py"
    assert (
        renaming_note(old, found) == f"`{old}` is mmdet 2.x's name: taken as `yolo/yolov3_d53_8xb8-ms-608-273e_coco.py`"
    )


def test_a_file_of_that_name_comes_first(tmp_path: pathlib.Path) -> None:
    own = tmp_path / "mask_rcnn" / "mask_rcnn_r50_fpn_1x_coco.py"
    own.parent.mkdir()
    own.write_text("a = 1")
    name = "mask_rcnn/mask_rcnn_r50_fpn_1x_coco"
    assert find_config(name, context=tmp_path, where="e.yaml:1:1") == own
    assert renaming_note(name, own) is None


@pytest.mark.parametrize("name", ["retinanet/retinanet_r18_fpn_1x_coco", "./retinanet/retinanet_r18_fpn_1x_coco.py"])
def test_no_note_for_a_name_of_today(name: str, tmp_path: pathlib.Path) -> None:
    assert renaming_note(name, find_config(name, context=tmp_path, where="e.yaml:1:1")) is None


def test_a_config_that_is_gone_has_near_names(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="no such config file") as caught:
        find_config("ssd/ssd300_fp16_coco.py", context=tmp_path, where="e.yaml:1:1")
    assert "ssd/ssd300_coco.py" in caught.value.problems[0].next
