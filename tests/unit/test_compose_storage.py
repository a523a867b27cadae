"""`file_client_args` and plain addresses: what reads data is told where it is, everywhere in a config."""

from __future__ import annotations

from typing import Any

import pytest

from model_def.compose import Composed, compose
from model_def.compose.tree import dicts
from model_def.errors import ConfigError
from model_def.experiment import load_experiment

MASK_RCNN = "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"
YOLOX = "yolox/yolox_tiny_8xb8-300e_coco.py"
SOFT_TEACHER = "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py"
PANOPTIC = "panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py"
S3 = {"backend": "s3", "bucket_name": "b", "prefix": "/some/folder/"}


@pytest.fixture
def composed(write_yaml: Any) -> Any:
    def one(config: str = MASK_RCNN, client: Any = S3, overrides: Any = None, **more: Any) -> Composed:
        hyperparameters = {"config_file": config, "global_batch_size": 5, "file_client_args": client, **more}
        hyperparameters = {key: value for key, value in hyperparameters.items() if value is not None}
        hyperparameters["override_mmdet_config"] = overrides or {}
        content = {"hyperparameters": hyperparameters, "searcher": {"name": "single", "metric": "bbox_mAP"}}
        return compose(load_experiment(write_yaml(content)), slots=1)

    return one


@pytest.mark.parametrize("config", [MASK_RCNN, YOLOX, SOFT_TEACHER, PANOPTIC])
def test_it_reaches_all_that_reads(config: str, composed: Any) -> None:
    """Wrapped data sets, branches of pipelines, evaluators, the hook that draws; weights and checkpoints not."""
    tree = composed(config).config.to_dict()
    nodes = [(path[0], node) for path, node in dicts(tree) if path]
    roots = [node["data_root"] for section, node in nodes if node.get("data_root") and section in USED]
    assert roots
    assert {*roots} == {"s3://b/some/folder/data/coco/"}
    evaluators = [node for section, node in nodes if str(section).endswith("_evaluator") and "ann_file" in node]
    assert all(node["ann_file"].startswith("s3://b/some/folder/data/coco/annotations/") for node in evaluators)
    assert all(node["seg_prefix"].startswith("s3://b/") for node in evaluators if node.get("seg_prefix"))
    readers = ("LoadImageFromFile", "LoadAnnotations", "LoadPanopticAnnotations", "DetVisualizationHook")
    used = [node for section, node in nodes if node.get("type") in readers and section in USED]
    assert len(used) >= 4
    assert all(node["backend_args"] == {"backend": "s3"} for node in [*used, *evaluators])
    assert "backend_args" not in tree["default_hooks"]["checkpoint"]


USED = ("train_dataloader", "val_dataloader", "test_dataloader", "default_hooks")


def test_relative_paths_of_overrides_are_in_the_bucket_too(composed: Any) -> None:
    overrides = {"train_dataloader.dataset.data_root": "./mine", "val_dataloader.dataset.data_root": "/here"}
    config = composed(overrides=overrides).config
    assert config.train_dataloader.dataset.data_root == "s3://b/some/folder/mine"
    assert config.val_dataloader.dataset.data_root == "/here"


def test_what_the_config_says_itself_stays(composed: Any) -> None:
    own = {"backend": "http"}
    overrides = {"train_dataloader.dataset.pipeline.0.backend_args": own}
    overrides["val_dataloader.dataset.data_root"] = "gs://other/coco"
    config = composed(overrides=overrides).config
    assert config.train_dataloader.dataset.pipeline[0].backend_args == own
    assert config.train_dataloader.dataset.pipeline[1].backend_args == {"backend": "s3"}
    assert config.val_dataloader.dataset.data_root == "gs://other/coco"


def test_options_go_along(composed: Any) -> None:
    client = {**S3, "endpoint_url": "http://127.0.0.1:9000", "cache": {"size": "2 GB", "check": "revalidate"}}
    told = composed(client=client).config.train_dataloader.dataset.backend_args
    assert told == {
        "backend": "s3",
        "endpoint_url": "http://127.0.0.1:9000",
        "cache": {"size": 2 * 10**9, "check": "revalidate"},
    }


def test_the_disk_changes_nothing(composed: Any) -> None:
    assert composed(client={"backend": "disk"}).config.to_dict() == composed(client=None).config.to_dict()


def test_fake_leaves_paths_alone(composed: Any) -> None:
    dataset = composed(client={"backend": "fake"}).config.train_dataloader.dataset
    assert dataset.data_root == "data/coco/"
    assert dataset.pipeline[0].backend_args == {"backend": "fake"}


def test_a_gs_path_below_a_root_is_not_joined_to_it(composed: Any) -> None:
    """mmengine takes s3:// for absolute, and gs:// not."""
    overrides = {"train_dataloader.dataset.ann_file": "gs://b/train.json"}
    dataset = composed(client=None, overrides=overrides).config.train_dataloader.dataset
    assert dataset.ann_file == "gs://b/train.json"
    assert dataset.data_root == ""
    assert dataset.data_prefix == {"img": "data/coco/train2017/"}


def test_a_list_that_mmdet_opens_itself_stays_on_the_disk(composed: Any) -> None:
    reid = "reid/reid_r50_8xb32-6e_mot15train80_test-mot15val20.py"
    with pytest.raises(ConfigError, match="opens its list of images itself") as caught:
        composed(reid)
    assert caught.value.problems[0].next.startswith("train_dataloader.dataset.ann_file=/path/to/")


def test_a_bucket_that_nothing_is_read_from_is_refused(composed: Any) -> None:
    overrides = {f"{split}_dataloader.dataset.data_root": "/here" for split in ("train", "val", "test")}
    overrides |= {f"{split}_evaluator.ann_file": "/here/a.json" for split in ("val", "test")}
    with pytest.raises(ConfigError, match="`file_client_args` has no effect"):
        composed(overrides=overrides)
