"""Predictions of a real, tiny detector: JSON and pictures."""

import json
from pathlib import Path

import cv2
import mmdet
import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from PIL import Image

from model_def.datasets import made
from model_def.drawing import Box, captioned, colour, draw, grid
from model_def.errors import DataError, WeightsError
from model_def.inference import load_detector
from model_def.pictures import draw_predictions, spread
from model_def.predict import as_json, detect, predict, read_images

CLASSES = ("rectangle", "ellipse")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return made(tmp_path_factory.mktemp("made") / "data", images=1, val_images=3, empty=1).root


@pytest.fixture(scope="module")
def detector(tmp_path_factory, data):
    """(config.py, model.pth) of a RetinaNet with random weights that finds something everywhere."""
    folder = tmp_path_factory.mktemp("detector")
    zoo = Path(mmdet.__file__).parent / ".mim" / "configs"
    config = Config.fromfile(zoo / "retinanet" / "retinanet_r18_fpn_1x_coco.py")
    config.model.backbone.update(init_cfg=None, base_channels=8)
    config.model.neck.update(in_channels=[8, 16, 32, 64], out_channels=16)
    config.model.bbox_head.update(num_classes=2, in_channels=16, feat_channels=16, stacked_convs=1)
    config.model.test_cfg.update(score_thr=0.0, max_per_img=20)
    for loader in (config.val_dataloader, config.test_dataloader):
        loader.dataset.update(data_root=f"{data}/", ann_file="val.json", data_prefix={"img": "val/"})
        loader.dataset.metainfo = {"classes": CLASSES}
        loader.dataset.pipeline[1].scale = (128, 128)
    config.dump(folder / "config.py")
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    torch.nn.init.normal_(model.bbox_head.retina_cls.weight, std=1.0)
    torch.nn.init.zeros_(model.bbox_head.retina_cls.bias)
    weights = {"state_dict": model.state_dict(), "meta": {"dataset_meta": {"classes": CLASSES}}}
    torch.save(weights, folder / "model.pth")
    return folder / "config.py", folder / "model.pth"


def images_of(data):
    return sorted((data / "val").iterdir())


def test_predict_writes_json_and_a_picture_of_each_image(detector, data, tmp_path):
    images = images_of(data)
    found = predict(*detector, images, to=tmp_path, threshold=0.5)
    rows = json.loads((tmp_path / "predictions.json").read_text())
    assert rows == json.loads(as_json(found))
    assert [row["image"] for row in rows] == [str(image) for image in images]
    assert any(row["boxes"] for row in rows)
    for box in (box for row in rows for box in row["boxes"]):
        x1, y1, x2, y2 = box["bbox"]
        assert box["label"] in CLASSES
        assert 0.5 <= box["score"] <= 1
        assert 0 <= x1 <= x2 <= 128
        assert 0 <= y1 <= y2 <= 128
    for prediction in found:
        assert Image.open(prediction.drawn).size == (400, 400)


def test_it_is_what_mmdet_itself_finds(detector, data):
    image = images_of(data)[0]
    theirs = inference_detector(init_detector(*map(str, detector), palette="random", device="cpu"), str(image))
    theirs = theirs.pred_instances.numpy()
    ours = detect(load_detector(*detector), read_images([image])[0], threshold=0.0)
    assert [box.score for box in ours] == sorted(theirs.scores.tolist(), reverse=True)
    assert {box.bbox for box in ours} == {tuple(bbox) for bbox in theirs.bboxes.tolist()}
    half = detect(load_detector(*detector), read_images([image])[0], threshold=ours[9].score)
    assert half == ours[:10]


def test_images_of_the_same_name_do_not_overwrite_each_other(detector, data, tmp_path):
    image = images_of(data)[0]
    found = predict(*detector, [image, image], to=tmp_path, threshold=0.5)
    assert [prediction.drawn.name for prediction in found] == [f"{image.stem}.png", f"{image.stem}-2.png"]


def test_all_unreadable_images_are_named_and_nothing_is_written(detector, data, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    paths = [images_of(data)[0], tmp_path / "missing.png", broken, empty]
    with pytest.raises(DataError) as error:
        predict(*detector, paths, to=tmp_path / "out", threshold=0.5)
    for name in ("missing.png", "broken.png", "empty.png"):
        assert name in str(error.value)
    assert str(paths[0]) not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_weights_that_cannot_be_loaded(detector, data, tmp_path, content):
    weights = tmp_path / "model.pth"
    if content is None:
        torch.save({"state_dict": {}, "meta": {"surprise": Path}}, weights)  # more than plain tensors
    else:
        weights.write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.pth"):
        load_detector(detector[0], weights)


def test_truth_beside_predictions_in_one_picture(detector, tmp_path):
    to = draw_predictions(*detector, tmp_path / "pictures" / "predictions.png", count=2, threshold=0.5)
    picture = Image.open(to)
    assert picture.size[0] > 4 * 400, "two images, each with its truth and its predictions"
    assert to.stat().st_size < 1_000_000


def test_a_validation_set_without_boxes_has_no_picture(detector, data, tmp_path):
    config = Config.fromfile(detector[0])
    annotations = json.loads((data / "val.json").read_text()) | {"annotations": []}
    (tmp_path / "none.json").write_text(json.dumps(annotations))
    config.val_dataloader.dataset.ann_file = str(tmp_path / "none.json")
    config.dump(tmp_path / "config.py")
    with pytest.raises(DataError, match="no validation image has a box"):
        draw_predictions(tmp_path / "config.py", detector[1], tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_a_box_is_drawn_where_it_is_in_the_colour_of_its_class():
    pixels = np.zeros((100, 200, 3), dtype=np.uint8)
    picture = draw(pixels, [Box(label="cat", bbox=(50, 20, 150, 80))], show_labels=False)
    assert picture.size == (400, 200)
    assert picture.getpixel((100, 100)) == picture.getpixel((300, 100)) == colour("cat") != colour("dog")
    assert picture.getpixel((200, 100)) == (0, 0, 0)


def test_pictures_have_the_colours_of_the_image_and_masks_tint_it(tmp_path):
    pixels = np.zeros((400, 400, 3), dtype=np.uint8)
    pixels[...] = (200, 100, 50)  # BGR, as OpenCV and mmcv read
    cv2.imwrite(str(tmp_path / "blue.png"), pixels)
    mask = np.zeros((400, 400), dtype=bool)
    mask[:, :200] = True
    picture = draw(read_images([tmp_path / "blue.png"])[0], [Box(label="cat", bbox=(0, 0, 399, 399), mask=mask)])
    assert picture.getpixel((300, 200)) == (50, 100, 200)
    assert picture.getpixel((100, 200)) == tuple(
        c // 2 + t // 2 for c, t in zip((50, 100, 200), colour("cat"), strict=True)
    )
    assert pixels[0, 0].tolist() == [200, 100, 50], "the image itself stays as it is"


def test_captions_and_grids_lose_nothing():
    pictures = [captioned(Image.new("RGB", (100, 50)), "truth"), captioned(Image.new("RGB", (80, 70)), "predictions")]
    sheet = grid([pictures, pictures[:1]])
    assert sheet.width >= 200
    assert sheet.height >= 2 * pictures[1].height


@pytest.mark.parametrize(("size", "count"), [(0, 4), (3, 4), (4, 4), (12, 4), (1000, 4)])
def test_chosen_images_are_spread_without_repetition(size, count):
    chosen = spread(range(size), count)
    assert len(chosen) == len(set(chosen)) == min(size, count)
    assert chosen == sorted(chosen)
