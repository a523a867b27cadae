"""Curves, matrices and pictures of a validation; the batches of a trace."""

from __future__ import annotations

import types

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from mmengine.structures import InstanceData

from model_def.datasets import made
from model_def.errors import ExperimentError
from model_def.evaluate.counted import NOTHING, Counted
from model_def.experiment import load_experiment
from model_def.watching.figures import confusion, confusion_matrix, precision_recall
from model_def.watching.scenes import scenes
from model_def.watching.trace import check_traced


def counted(classes, pairs=(), precision=0.5):
    precision = np.broadcast_to(precision, (10, 101, len(classes)))
    overlaps = tuple(np.linspace(0.5, 0.95, 10))
    pairs = np.array(pairs, dtype=int).reshape(-1, 2)
    return Counted(kind="bbox", classes=tuple(classes), overlaps=overlaps, precision=precision, pairs=pairs)


def test_confusion_counts_truths_in_rows():
    names, matrix = confusion_matrix(counted(["cat", "dog"], [(0, 0), (0, 0), (0, 1), (1, NOTHING), (NOTHING, 0)]))
    assert names == ["cat", "dog", "nothing"]
    assert matrix.tolist() == [[2, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_the_most_frequent_of_many_classes_have_a_row():
    pairs = [(each, each) for each in range(40) for _ in range(each + 1)] + [(0, 39), (39, 0)]
    names, matrix = confusion_matrix(counted([f"c{each}" for each in range(40)], pairs))
    assert names == [*(f"c{each}" for each in range(16, 40)), "16 others", "nothing"]
    assert matrix.sum() == len(pairs)
    assert matrix[24, 23] == matrix[23, 24] == 1, "others and the last class"
    assert matrix[24, 24] == sum(range(1, 17))


@pytest.mark.parametrize("classes", [1, 3, 80])
@pytest.mark.parametrize("draw", [precision_recall, confusion])
def test_figures_of_few_and_many_classes(draw, classes):
    names = [f"c{each}" for each in range(classes)]
    some = draw(counted(names, [(0, 0)], precision=0.5), "bbox")
    other = draw(counted(names, [(0, NOTHING)], precision=0.9), "bbox")
    assert some.size == other.size
    assert np.asarray(some).std() > 5, "something is drawn"
    assert np.any(np.asarray(some) != np.asarray(other))


def test_a_figure_of_classes_without_any_truth_is_empty_and_no_error():
    precision_recall(counted(["cat"], precision=-1.0), "bbox")
    precision_recall(counted(["$cat", r"$\\dog$"]), "bbox")
    confusion(counted(["cat"]), "bbox")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = made(tmp_path_factory.mktemp("made") / "data", images=1, val_images=9, empty=3, size=(64, 64)).root
    register_all_modules(init_default_scope=True)
    return DATASETS.build({
        "type": "CocoDataset", "ann_file": f"{root}/val.json", "data_prefix": {"img": f"{root}/val/"},
        "metainfo": {"classes": ("rectangle", "ellipse")}, "test_mode": True, "pipeline": [],
    })  # fmt: skip


def experiment(pictures):
    where = lambda *path: ".".join(map(str, path))  # noqa: E731
    asked = {"pictures": pictures}
    return types.SimpleNamespace(
        hyperparameters=types.SimpleNamespace(**asked, profile_batches=(10, 14)),
        raw={"hyperparameters": asked},
        where=where,
    )


def test_a_number_of_images_with_objects_is_chosen_the_same_each_time(dataset):
    found = scenes(dataset, experiment(4))
    assert len(found) == 4
    assert all(scene.truth for scene in found.values())
    assert [*found] == [*scenes(dataset, experiment(4))]
    assert scenes(dataset, experiment(0)) == {}


def test_images_are_chosen_by_name(dataset):
    name = dataset.get_data_info(2)["img_path"].rpartition("/")[2]
    [(path, scene)] = scenes(dataset, experiment((name,))).items()
    assert (path, scene.name) == (dataset.get_data_info(2)["img_path"], name)
    with pytest.raises(ExperimentError, match=r"(?s)no image of the validation set has this name.*pictures\.1"):
        scenes(dataset, experiment((name, "nowhere.png")))


def test_more_pictures_than_there_are_is_an_error(dataset):
    with pytest.raises(ExperimentError, match=r"(?s)fewer images with boxes to draw: 9.*allowed: up to 6\n"):
        scenes(dataset, experiment(9))
    unasked = experiment(9)
    unasked.raw["hyperparameters"].clear()
    assert len(scenes(dataset, unasked)) == 6, "those of the default are as many as there are"


@pytest.mark.parametrize("pictures", [4, ("a.jpg",)])
@pytest.mark.parametrize("validation", [None, torch.utils.data.TensorDataset()])
def test_pictures_without_images_to_draw_are_an_error(pictures, validation):
    with pytest.raises(ExperimentError, match=r"(?s)set has no images with boxes to draw.*allowed: up to 0\n"):
        scenes(validation, experiment(pictures))
    assert scenes(validation, experiment(0)) == {}


def test_the_truth_is_left_and_sure_predictions_right(dataset):
    [scene] = scenes(dataset, experiment(1)).values()
    whole = torch.tensor([[0.0, 0.0, 63.0, 63.0]])
    sure, unsure = (
        InstanceData(bboxes=whole, labels=torch.tensor([1]), scores=torch.tensor([score])) for score in (0.9, 0.2)
    )
    some, none, nothing = (np.asarray(scene.draw(dataset, found)) for found in (sure, unsure, unsure[:0]))
    half = some.shape[1] // 2
    assert np.array_equal(some[30:, :half], none[30:, :half])
    assert not np.array_equal(some[30:, half:], none[30:, half:])
    assert np.array_equal(none, nothing), "the unsure one is not drawn"


def test_profiling_is_not_bound_to_batches_and_says_so(write_yaml):
    content = {
        "hyperparameters": {"config_file": "x.py", "global_batch_size": 2, "pictures": ["a.jpg"]},
        "searcher": {"name": "single", "metric": "bbox_mAP"},
        "profiling": {"enabled": True, "begin_on_batch": 0, "end_after_batch": 20},
    }
    found = load_experiment(write_yaml(content), ["profile_batches=[10, 14]"])
    assert found.profiling
    assert found.hyperparameters.profile_batches == (10, 14)
    assert found.hyperparameters.pictures == ("a.jpg",)
    assert ["profiling.end_after_batch has no effect" in note for note in found.notes] == [True]


def test_a_trace_behind_the_end_is_an_error():
    check_traced(experiment(4), 14)
    with pytest.raises(ExperimentError, match=r"(?s)behind the end.*profile_batches.*batches from 1 to 13"):
        check_traced(experiment(4), 13)
