"""The `dataset` short form: what it sets, through wrappers and in models, and what it refuses."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from mmdet.registry import DATASETS

from model_def.compose import Composed, compose
from model_def.compose.classes import with_classes
from model_def.errors import ConfigError, Problem
from model_def.experiment import experiment_from

RETINANET = "retinanet/retinanet_r18_fpn_1x_coco.py"
VOC = "pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py"
PANOPTIC = "mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py"


def composed(config_file: str, dataset: dict[str, Any], **overrides: Any) -> Composed:
    hyper = {"config_file": config_file, "global_batch_size": 4, "dataset": dataset, "override_mmdet_config": overrides}
    return compose(experiment_from({"searcher": {"name": "single", "metric": "bbox_mAP"}}, hyper), slots=1)


def config_of(config_file: str, dataset: dict[str, Any], **overrides: Any) -> dict[str, Any]:
    result: dict[str, Any] = composed(config_file, dataset, **overrides).config.to_dict()
    return result


def refused(config_file: str, dataset: dict[str, Any]) -> Problem:
    with pytest.raises(ConfigError) as caught:
        composed(config_file, dataset, **{"optim_wrapper.type": "OptimWrapper"})  # on a CPU too
    (problem,) = caught.value.problems
    return problem


def test_all_three_parts(trees: dict[str, Any]) -> None:
    config = config_of(RETINANET, trees)
    for loader, name in (("train", "train"), ("val", "val"), ("test", "val")):
        dataset = config[f"{loader}_dataloader"]["dataset"]
        assert dataset["type"] == "CocoDataset"
        assert (dataset["data_root"], dataset["ann_file"]) == (trees["root"], f"{name}.json")
        assert dataset["data_prefix"] == {"img": f"{name}/"}
        assert dataset["metainfo"] == {"classes": ("oak", "fir", "ash")}, "the order of the file, not of the ids"
    assert config["val_evaluator"]["ann_file"] == config["test_evaluator"]["ann_file"] == f"{trees['root']}/val.json"
    assert config["model"]["bbox_head"]["num_classes"] == 3
    assert config["train_dataloader"]["dataset"]["filter_cfg"], "what the short form doesn't say stays"


def test_a_test_set_and_chosen_classes(trees: dict[str, Any]) -> None:
    config = config_of(RETINANET, {**trees, "test": {"ann_file": "test.json"}, "classes": ["oak"]})
    assert config["test_dataloader"]["dataset"]["ann_file"] == "test.json"
    assert config["test_evaluator"]["ann_file"].endswith("test.json")
    assert config["model"]["bbox_head"]["num_classes"] == 1


@pytest.mark.parametrize(
    ("name", "wrappers", "evaluates"),
    [
        ("yolox/yolox_tiny_8xb8-300e_coco.py", ["MultiImageMixDataset"], ()),
        (
            VOC,
            ["RepeatDataset"],
            ("dataset: CocoMetric evaluates it; VOCMetric of the config is left out",),
        ),  # of a ConcatDataset
        (
            "lvis/mask-rcnn_r50_fpn_sample1e-3_ms-2x_lvis-v0.5.py",
            ["ClassBalancedDataset"],
            ("dataset: CocoMetric evaluates it; LVISMetric of the config is left out",),
        ),
        ("rtmdet/rtmdet_tiny_8xb32-300e_coco.py", [], ()),
    ],
)
def test_through_wrappers(name: str, wrappers: list[str], evaluates: tuple[str, ...], trees: dict[str, Any]) -> None:
    result = composed(name, trees)
    config = result.config.to_dict()
    dataset, found = config["train_dataloader"]["dataset"], []
    while "dataset" in dataset:
        found.append(dataset["type"])
        dataset = dataset["dataset"]
    assert found == wrappers
    assert (dataset["type"], dataset["ann_file"]) == ("CocoDataset", "train.json")
    assert config["val_evaluator"]["type"] == "CocoMetric"
    assert set(evaluates) <= set(result.notes)
    assert any(note.startswith("dataset:") for note in result.notes) == bool(evaluates)


def test_pascal_voc(trees: dict[str, Any]) -> None:
    """Its annotations name no classes, and its folders have a key of their own."""
    voc = {**trees, "type": "VOCDataset"}
    problem = refused(RETINANET, voc)
    assert "names of the classes" in problem.what
    assert "dataset.classes" in problem.next
    config = config_of(RETINANET, {**voc, "classes": ["a"]})
    assert config["train_dataloader"]["dataset"]["data_prefix"] == {"sub_data_root": "train/"}
    assert config["val_evaluator"] == {"type": "VOCMetric"}
    assert config["model"]["bbox_head"]["num_classes"] == 1


def test_a_type_of_the_users_own(trees: dict[str, Any], tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    """It is registered by an override, which counts later, and reads its classes as its base does."""
    lines = ["from mmdet.datasets import CocoDataset", "from mmdet.registry import DATASETS", ""]
    lines += ["@DATASETS.register_module()", "class TreesOfMine(CocoDataset):", "    pass", ""]
    (tmp_path / "trees_of_mine.py").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    config = config_of(
        RETINANET,
        {**trees, "type": "TreesOfMine"},
        custom_imports={"imports": "trees_of_mine", "allow_failed_imports": False},
    )
    assert config["train_dataloader"]["dataset"]["type"] == "TreesOfMine"
    assert config["train_dataloader"]["dataset"]["metainfo"]["classes"] == ("oak", "fir", "ash")
    assert config["val_evaluator"]["type"] == "CocoMetric"


@pytest.mark.parametrize(
    ("name", "change", "says", "next_step"),
    [
        (RETINANET, {"type": "CocoDatast"}, "no data set is registered", "did you mean `CocoDataset`"),
        (RETINANET, {"type": "YouTubeVISDataset"}, "this data set has no boxes", "type: CocoDataset"),
        (RETINANET, {"type": "CocoPanopticDataset"}, "learns no panoptic", "`dataset.type: CocoDataset`"),
        (PANOPTIC, {}, "learns panoptic segments", "`dataset.type: CocoPanopticDataset`"),
        ("htc/htc_r50_fpn_1x_coco.py", {}, "a map of classes for each image", "dataset.train.seg_prefix"),
        (
            "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py",
            {},
            "several at once",
            "datasets.0",
        ),
        ("reid/reid_r50_8xb32-6e_mot17train80_test-mot17val20.py", {}, "something else", "merge_config"),
        ("mm_grounding_dino/grounding_dino_swin-t_pretrain_obj365.py", {}, "learns from phrases", "config_file="),
        ("fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py", {}, "another model has proposed", "`proposal_file`"),
        ("lad/lad_r101-paa-r50_fpn_2xb8_coco_1x.py", {}, "a teacher that knows", "`model.teacher_ckpt`"),
    ],
)
def test_refused(name: str, change: dict[str, Any], says: str, next_step: str, trees: dict[str, Any]) -> None:
    problem = refused(name, {**trees, **change})
    assert says in problem.what
    assert next_step in problem.next
    assert "hyperparameters.dataset" in problem.where


def test_mmpretrains_data_sets_have_no_boxes_either(trees: dict[str, Any], monkeypatch: Any) -> None:
    made = type("MadeImageNet", (), {"__module__": "mmpretrain.datasets.imagenet"})
    monkeypatch.setitem(DATASETS.module_dict, "MadeImageNet", made)
    assert "has no boxes" in refused(RETINANET, {**trees, "type": "MadeImageNet"}).what


def test_files_of_ones_own_are_accepted(trees: dict[str, Any]) -> None:
    config = config_of(
        "fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py",
        trees,
        **{"train_dataloader.dataset.proposal_file": "a.pkl", "val_dataloader.dataset.proposal_file": "b.pkl"},
    )
    assert config["train_dataloader"]["dataset"]["proposal_file"] == "a.pkl"
    assert config["test_dataloader"]["dataset"]["proposal_file"] == "b.pkl"


def panoptic(folder: pathlib.Path, *things: int) -> dict[str, Any]:
    """A panoptic data set whose categories are things or not."""
    kinds = [{"id": number, "name": f"c{number}", "isthing": thing} for number, thing in enumerate(things, start=1)]
    for part in ("train", "val"):
        (folder / f"{part}.json").write_text(json.dumps({"images": [], "annotations": [], "categories": kinds}))
    splits = {part: {"ann_file": f"{part}.json", "seg_prefix": f"{part}_segments"} for part in ("train", "val")}
    return {"type": "CocoPanopticDataset", "root": str(folder), **splits}


def test_panoptic(tmp_path: pathlib.Path) -> None:
    config = config_of(PANOPTIC, panoptic(tmp_path, 1, 1, 0))
    dataset, head = config["train_dataloader"]["dataset"], config["model"]["panoptic_head"]
    assert dataset["data_prefix"] == {"img": "", "seg": "train_segments"}
    assert dataset["metainfo"] == {
        "classes": ("c1", "c2", "c3"),
        "thing_classes": ("c1", "c2"),
        "stuff_classes": ("c3",),
    }
    assert (head["num_things_classes"], head["num_stuff_classes"]) == (2, 1)
    assert head["loss_cls"]["class_weight"] == [1.0, 1.0, 1.0, 0.1]
    assert config["val_evaluator"]["seg_prefix"] == f"{tmp_path}/val_segments"


def test_panoptic_classes_are_the_files(tmp_path: pathlib.Path) -> None:
    assert "begin with all things" in refused(PANOPTIC, panoptic(tmp_path, 1, 0, 1)).what
    problem = refused(PANOPTIC, {**panoptic(tmp_path, 1, 0), "classes": ["c1"]})
    assert problem.next == "remove `dataset.classes`"


def test_a_text_prompted_model_hears_the_classes(trees: dict[str, Any]) -> None:
    config = config_of("grounding_dino/refcoco/grounding_dino_swin-b_pretrain_zeroshot_refexp.py", trees)
    for loader in ("train_dataloader", "val_dataloader"):
        assert config[loader]["dataset"]["return_classes"] is True
    assert "return_classes" not in config_of(RETINANET, trees)["train_dataloader"]["dataset"]


def test_class_weights_follow() -> None:
    head = {"num_things_classes": 2, "num_stuff_classes": 1, "loss_cls": {"class_weight": [1.0, 1.0, 1.0, 0.1]}}
    model = {"head": head, "semantic_head": {"num_classes": 183}, "rpn_head": {"num_classes": 1}}
    result = with_classes(model, 3)
    assert result["head"]["loss_cls"]["class_weight"] == [1.0, 1.0, 1.0, 1.0, 0.1]
    assert (result["semantic_head"], result["rpn_head"]) == ({"num_classes": 183}, {"num_classes": 1})
    assert with_classes(model, 3, 4)["head"]["num_stuff_classes"] == 4
    assert head["num_things_classes"] == 2, "the input stays"


def test_the_teachers_config_is_found(trees: dict[str, Any]) -> None:
    """The zoo's name for it is relative to mmdet's own checkout."""
    name = config_of("ld/ld_r18-gflv1-r101_fpn_1x_coco.py", trees)["model"]["teacher_config"]
    assert pathlib.Path(name).is_file()
