"""Made data for the parity runs: mmdet's own classes read it, and the keys reach every dataset and evaluator."""

from __future__ import annotations

import json
import pathlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from PIL import Image

from model_def.compose import compose
from model_def.experiment import experiment_from
from tests.parity.data import NeedsPackage, data_overrides
from tests.parity.data.kinds import MAKERS
from tests.parity.data.needs import NEEDED
from tests.parity.data.pictures import COUNTS
from tests.parity.zoo import load

# One config of each kind that is read in its own way.
KINDS = {
    "crowdhuman": "crowddet/crowddet-rcnn_r50_fpn_8xb2-30e_crowdhuman.py",
    "lvis": "lvis/mask-rcnn_r50_fpn_sample1e-3_ms-1x_lvis-v1.py",
    "masks and semantic maps": "htc/htc_r50_fpn_1x_coco.py",
    "open images": "openimages/ssd300_32xb8-36e_openimages.py",
    "proposals": "fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py",
    "voc": "pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py",
    "wider face": "wider_face/retinanet_r50_fpn_1x_widerface.py",
}
RECORDS = {  # a sample of these isn't one image
    "persons": "reid/reid_r50_8xb32-6e_mot17train80_test-mot17val20.py",
    "videos": "mask2former_vis/mask2former_r50_8xb2-8e_youtubevis2021.py",
    "with and without labels": "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("data")


def composed(config_file: str, root: pathlib.Path) -> Config:
    """The zoo's config with the made data, through our own layer of overrides."""
    content = {"name": "made", "searcher": {"name": "single", "metric": "bbox_mAP"}}
    hyper = {"config_file": config_file, "global_batch_size": 1}
    overrides = data_overrides(load(config_file), root)
    return compose(experiment_from(content, hyper | {"override_mmdet_config": overrides}), slots=1).config


def built(config: Config, part: str) -> Any:
    """A part's dataset, and for validation its evaluator, which reads the annotations too."""
    with DefaultScope.overwrite_default_scope("mmdet"):
        dataset = DATASETS.build(config[f"{part}_dataloader"]["dataset"])
        if part == "val":
            Evaluator(config["val_evaluator"])
    dataset.full_init()
    return dataset


@pytest.mark.parametrize("config_file", KINDS.values(), ids=list(KINDS))
def test_mmdet_reads_images_and_their_truth(config_file: str, root: pathlib.Path) -> None:
    config = composed(config_file, root)
    train, val = built(config, "train"), built(config, "val")
    assert len(train) % COUNTS["train"] == 0  # more than once, where the config repeats
    assert len(val) == COUNTS["val"]
    sample = train[0]["data_samples"]
    assert len(sample.gt_instances.bboxes) > 0
    assert ("gt_sem_seg" in sample) == ("htc" in config_file)
    assert ("proposals" in sample) == ("fast_rcnn" in config_file)
    assert val[0]["inputs"].ndim == 3


@pytest.mark.parametrize("config_file", RECORDS.values(), ids=list(RECORDS))
def test_mmdet_reads_other_samples(config_file: str, root: pathlib.Path) -> None:
    config = composed(config_file, root)
    assert all(built(config, part)[0] for part in ("train", "val"))


def test_every_maker_serves_a_class_of_mmdet() -> None:
    assert set(MAKERS) - {"ImageNet"} <= set(DATASETS.module_dict)  # that one is mmpretrain's


def test_keys_reach_wrapped_datasets_and_their_evaluators(root: pathlib.Path) -> None:
    def coco(*classes: str) -> dict[str, Any]:
        prefix = {"img": "images/"}
        metainfo = {"classes": classes}
        return {"type": "CocoDataset", "ann_file": "a.json", "data_prefix": prefix, "metainfo": metainfo}

    both = {"type": "ConcatDataset", "datasets": [coco("oak"), coco("fir", "ash")]}
    metrics = [{"type": "CocoMetric", "ann_file": "a.json"}, {"type": "CocoMetric", "metric": "bbox"}]
    config = {
        "train_dataloader": {"dataset": {"type": "RepeatDataset", "times": 2, "dataset": both}},
        "val_dataloader": {"dataset": both},
        "val_evaluator": {"type": "MultiDatasetsEvaluator", "metrics": [metrics[0], metrics[0]]},
        "test_dataloader": {"dataset": coco("oak")},
        "test_evaluator": metrics,
    }
    found = data_overrides(config, root)
    places = [f"train_dataloader.dataset.dataset.datasets.{index}" for index in (0, 1)]
    places += [*(f"val_dataloader.dataset.datasets.{index}" for index in (0, 1)), "test_dataloader.dataset"]
    keys = {f"{place}.{key}" for place in places for key in ("data_root", "ann_file", "data_prefix.img")}
    evaluators = {"val_evaluator.metrics.0.ann_file", "val_evaluator.metrics.1.ann_file", "test_evaluator.0.ann_file"}
    assert set(found) == keys | evaluators
    names = [json.loads(pathlib.Path(found[f"val_evaluator.metrics.{index}.ann_file"]).read_text()) for index in (0, 1)]
    assert [[category["name"] for category in name["categories"]] for name in names] == [["oak"], ["fir", "ash"]]


def test_panoptic_colours_are_the_segments(root: pathlib.Path) -> None:
    dataset = {"type": "CocoPanopticDataset", "ann_file": "p.json", "data_prefix": {"img": "i/", "seg": "panoptic/"}}
    config = {"val_dataloader": {"dataset": dataset}}
    found = data_overrides(config, root)
    content = json.loads(pathlib.Path(found["val_dataloader.dataset.ann_file"]).read_text())
    assert [category["isthing"] for category in content["categories"]] == [1] * 80 + [0] * 53
    for entry in content["annotations"]:
        colours = np.asarray(
            Image.open(pathlib.Path(found["val_dataloader.dataset.data_prefix.seg"], entry["file_name"]))
        )
        ids, counts = np.unique(colours.astype(int) @ [1, 256, 256**2], return_counts=True)
        assert dict(zip(ids, counts, strict=True)) == {item["id"]: item["area"] for item in entry["segments_info"]}


def test_two_processes_that_ask_at_once_get_the_same(tmp_path: pathlib.Path) -> None:
    dataset = {"type": "CocoDataset", "ann_file": "a.json", "metainfo": {"classes": ["oak", "fir"]}}
    config = {"train_dataloader": {"dataset": dataset}}
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        first, second = pool.map(data_overrides, [config] * 2, [shared] * 2)
    data_overrides(config, alone)
    assert first == second
    assert contents(shared) == contents(alone)


def contents(root: pathlib.Path) -> dict[str, bytes]:
    """Every file below a directory, less the locks, which only the processes that waited leave."""
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setitem(NEEDED, "MadeUpMetric", ("no_such_module", "no-such-package"))
    config = {"val_evaluator": [{"type": "CocoMetric"}, {"type": "MadeUpMetric"}]}
    with pytest.raises(NeedsPackage, match="MadeUpMetric needs the package no-such-package") as raised:
        data_overrides(config, tmp_path)
    assert raised.value.name == "no-such-package"
