"""Experiments of the old adapter: `train` and `check` take them as they are, `migrate` prints them anew."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules

from model_def import cli
from model_def.compose import compose
from model_def.errors import ConfigError, ExperimentError
from model_def.experiment import load_experiment
from model_def.experiment_checks import ENTRYPOINT
from model_def.rewrite import rewrite

OLD = """\
# my notes
name: old
data:
  file_client_args: {{backend: disk}}
hyperparameters:
  global_batch_size: {batch}
  config_file: /mmdetection/configs/{config}.py  # a path of the old image
  merge_config: null
  use_pretrained: false
  override_mmdet_config:
    # clip
    optimizer_config._delete_: true
    optimizer_config.grad_clip.max_norm: 100  # a lot
    optimizer_config.grad_clip.norm_type: 2
checkpoint_storage:
  save_trial_latest: 5
min_validation_period:
  batches: {period}
searcher:
  name: single
  metric: {metric}
  max_length:
    batches: {length}
    # or less
  smaller_is_better: false
max_restarts: 5
environment:
  image:
    gpu: determinedai/model-hub-mmdetection:0.26.2
  environment_variables:
    - OMP_NUM_THREADS=1
resources:
  slots_per_trial: 8
  shm_size: 200000000000
entrypoint: {entrypoint}
"""
LAUNCHED = "python3 -m determined.launch.torch_distributed --trial model_hub.mmdetection:MMDetTrial"
MASK_RCNN = {
    "config": "mask_rcnn/mask_rcnn_r50_caffe_fpn_poly_1x_coco_v1",
    "batch": 16,
    "period": 7330,
    "length": 87960,
    "metric": "bbox_mAP",
    "entrypoint": LAUNCHED,
}
FASTER_RCNN = {**MASK_RCNN, "config": "faster_rcnn/faster_rcnn_r50_caffe_fpn_1x_coco"}
PANOPTIC = {**MASK_RCNN, "config": "panoptic_fpn/panoptic_fpn_r50_fpn_1x_coco", "metric": "PQ"}
YOLO = {
    **MASK_RCNN,
    "config": "yolo/yolov3_d53_mstrain-608_273e_coco",
    "batch": 64,
    "period": 1832,
    "length": 500176,
    "entrypoint": "model_hub.mmdetection:MMDetTrial",
}
EXPERIMENTS = {
    "mask_rcnn": (MASK_RCNN, "mask_rcnn/mask-rcnn_r50-caffe_fpn_poly-1x_coco_v1.py", 12, 1),
    "faster_rcnn": (FASTER_RCNN, "faster_rcnn/faster-rcnn_r50-caffe_fpn_1x_coco.py", 12, 1),
    "panoptic_fpn": (PANOPTIC, "panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py", 12, 1),
    "yolov3": (YOLO, "yolo/yolov3_d53_8xb8-ms-608-273e_coco.py", 273, 1),
}


@pytest.fixture
def write(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> pathlib.Path:
        path = tmp_path / "old.yaml"
        path.write_text(text)
        return path

    return write


def with_overrides(text: str, **values: Any) -> str:
    """The Mask R-CNN experiment with other overrides and fields."""
    head, _, rest = OLD.format(**{**MASK_RCNN, **values}).partition("    # clip\n")
    return head + text + rest[rest.index("checkpoint_storage") :]


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_trains_as_it_is_and_says_what_it_took(experiment: tuple[Any, ...], write: Any) -> None:
    values, config, epochs, _ = experiment
    composed = compose(load_experiment(write(OLD.format(**values))), slots=8)
    assert composed.config.train_cfg.max_epochs == epochs
    assert composed.config.optim_wrapper.clip_grad == {"max_norm": 100, "norm_type": 2}
    notes = "\n".join(composed.notes)
    name = f"/mmdetection/configs/{values['config']}.py"
    assert f"`{name}` is mmdet 2.x's name: taken as `{config}`" in notes
    assert (
        "`optimizer_config.grad_clip.max_norm` is mmdet 2.x's name: taken as `optim_wrapper.clip_grad.max_norm`"
        in notes
    )
    assert f"{values['length']} batches of {values['batch']} are {epochs} epochs of 117266 training images" in notes
    assert f"write `entrypoint: {ENTRYPOINT}`" in notes
    assert "model-hub-mmdetection:0.26.2 has mmdet 2.x" in notes


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_migrate_writes_the_same_training(experiment: tuple[Any, ...], write: Any, tmp_path: pathlib.Path) -> None:
    values, config, _, interval = experiment
    old = write(OLD.format(**values))
    text, problems = rewrite(old)
    assert not problems
    new = tmp_path / "new.yaml"
    new.write_text(text)
    one, other = (compose(load_experiment(path), slots=8) for path in (old, new))
    one.config.train_cfg.val_interval = interval  # `min_validation_period` was all that counted
    assert other.config.to_dict() == one.config.to_dict()
    assert other.notes == ()
    assert yaml.safe_load(text)["hyperparameters"]["config_file"] == config


def test_migrate_keeps_the_rest_and_says_what_it_did(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(OLD.format(**MASK_RCNN))
    assert cli.main(["migrate", str(path)]) == 0
    text = capsys.readouterr().out
    for line in (
        "# my notes",
        "# data.file_client_args was left out: the disk is the default",
        "  # was /mmdetection/configs/mask_rcnn/mask_rcnn_r50_caffe_fpn_poly_1x_coco_v1.py",
        "    # clip",
        "    # or less",
        "    # optimizer_config._delete_ was left out: there is nothing to forget",
        "    # was optimizer_config.grad_clip.max_norm",
        "    optim_wrapper.clip_grad.max_norm: 100",
        "  # max_length (batches: 87960) is `train_cfg.max_epochs: 12` of the config",
        "# min_validation_period is `train_cfg.val_interval` of the config",
        "    - OMP_NUM_THREADS=1",
        f"# was {LAUNCHED}",
        f"entrypoint: {ENTRYPOINT}",
    ):
        assert line in text.splitlines(), line
    assert "NOT TRANSLATED" not in text


def test_a_refused_key_stops_with_the_line_to_write_at_its_own_place(write: Any) -> None:
    path = write(with_overrides("    workflow: [[train, 1], [val, 1]]\n    seed: 4\n"))
    with pytest.raises(ConfigError) as caught:
        compose(load_experiment(path), slots=8)
    workflow, seed = caught.value.problems
    assert workflow.what.startswith("`workflow` is mmdet 2.x's, and can't be translated")
    assert workflow.where == f"{path}:11:5 (hyperparameters.override_mmdet_config.workflow)"
    assert seed.next == "write `reproducibility: {experiment_seed: 4}`"
    assert seed.value == 4


def test_migrate_leaves_what_it_refuses_as_a_comment(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(
        with_overrides("    seed: 4\n    optimizer.lr: 0.1\n").replace("backend: disk", "backend: x, bucket_name: b")
    )
    assert cli.main(["migrate", str(path)]) == 2
    out, err = capsys.readouterr()
    assert "    # seed: 4\n    # was optimizer.lr\n    optim_wrapper.optimizer.lr: 0.1\n" in out
    assert "#   file_client_args:\n#     backend: x\n#     bucket_name: b\n" in out
    assert "old.yaml:11:5 (hyperparameters.override_mmdet_config.seed)" in err
    assert "data.file_client_args.backend" in err
    assert "s3, gcs, disk, fake" in err


def test_later_messages_name_the_line_of_the_old_key(write: Any) -> None:
    path = write(with_overrides("    model.backbone.depth: 50\n    optimizer: {speed: 1}\n"))
    with pytest.raises(ConfigError) as caught:
        compose(load_experiment(path), slots=8)
    (problem,) = caught.value.problems
    assert problem.where == f"{path}:12:17 (hyperparameters.override_mmdet_config.optim_wrapper.optimizer.speed)"


def test_an_assignment_may_use_an_old_key(write: Any) -> None:
    experiment = load_experiment(write(OLD.format(**MASK_RCNN)), ["optimizer.lr=0.5", "data.file_client_args=null"])
    assert compose(experiment, slots=8).config.optim_wrapper.optimizer.lr == 0.5
    experiment = load_experiment(write(OLD.format(**MASK_RCNN)), ["optimizer.speed=0.5"])
    with pytest.raises(ConfigError, match=r"command line \(optimizer\.speed=0\.5\)"):
        compose(experiment, slots=8)


def test_a_bucket_is_where_relative_paths_are(write: Any) -> None:
    text = OLD.format(**MASK_RCNN).replace("backend: disk", "backend: s3, bucket_name: mine")
    config = compose(load_experiment(write(text)), slots=8).config
    assert config.train_dataloader.dataset.data_root == "s3://mine/data/coco/"
    assert config.train_dataloader.dataset.pipeline[0].backend_args == {"backend": "s3"}


@pytest.mark.parametrize("length", [70000, 1])
def test_batches_that_are_no_whole_epochs_are_not_guessed(length: int, write: Any) -> None:
    with pytest.raises(ConfigError, match="this config trains by epochs"):
        compose(load_experiment(write(OLD.format(**{**MASK_RCNN, "length": length}))), slots=8)


def test_epochs_of_a_data_set_of_ones_own(write: Any, shapes_context: pathlib.Path, monkeypatch: Any) -> None:
    root = shapes_context / "data/shapes"
    files = f"    data.train: {{ann_file: {root}/train.json, img_prefix: {root}/train/}}\n"
    path = write(with_overrides(files, batch=8, length=9))
    config = compose(load_experiment(path), slots=1).config
    assert config.train_cfg.max_epochs == 3  # 9 batches of 8 images, of which there are 24


def test_a_search_keeps_its_form(write: Any) -> None:
    lr = "{type: log, base: 10, minval: -3, maxval: -1}"
    text = with_overrides(f"    optimizer.lr: {lr}\n").replace("name: single", "name: adaptive_asha\n  max_trials: 9")
    names = "{type: categorical, vals: [mask_rcnn/mask_rcnn_r50_fpn_1x_coco.py, yolo/yolov3_d53_320_273e_coco.py]}"
    text = text.replace(f"/mmdetection/configs/{MASK_RCNN['config']}.py", names)
    new = yaml.safe_load(rewrite(write(text))[0])
    assert new["hyperparameters"]["override_mmdet_config"]["optim_wrapper.optimizer.lr"] == yaml.safe_load(lr)
    assert new["hyperparameters"]["config_file"]["vals"] == [
        "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
        "yolo/yolov3_d53_8xb8-320-273e_coco.py",
    ]
    assert new["searcher"]["time_metric"] == "batches"
    assert new["searcher"]["max_time"] == 87960
    assert "max_length" not in new["searcher"]


def test_a_length_that_cannot_be_told_is_refused(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["migrate", str(write(OLD.format(**{**MASK_RCNN, "length": 70000})))]) == 2
    out, err = capsys.readouterr()
    assert "  # NOT TRANSLATED: how many epochs is it?\n  # max_length:\n  #   batches: 70000\n" in out
    assert "old.yaml:22:3 (searcher.max_length)" in err


def test_dotted_keys_that_make_one_list_write_it_once(write: Any) -> None:
    schedule = "    lr_config.policy: step\n    lr_config.step: [7]\n"
    new = yaml.safe_load(rewrite(write(with_overrides(schedule)))[0])["hyperparameters"]["override_mmdet_config"]
    assert new["param_scheduler"][1]["milestones"] == [7]


def test_a_config_that_counts_iterations(write: Any) -> None:
    values = {**MASK_RCNN, "config": "faster_rcnn/faster_rcnn_r50_caffe_fpn_90k_coco", "length": 9000, "period": 500}
    path = write(OLD.format(**values))
    assert compose(load_experiment(path), slots=8).config.train_cfg.max_iters == 9000
    new = yaml.safe_load(rewrite(path)[0])["hyperparameters"]["override_mmdet_config"]
    assert (new["train_cfg.max_iters"], new["train_cfg.val_interval"]) == (9000, 500)


def test_flow_mappings_are_opened(write: Any) -> None:
    flow = yaml.safe_dump(yaml.safe_load(OLD.format(**YOLO)), default_flow_style=True, width=9999, sort_keys=False)
    block, flat = (rewrite(write(text))[0] for text in (OLD.format(**YOLO), flow))
    assert yaml.safe_load(flat) == yaml.safe_load(block)


def test_a_part_of_a_hydra_config(write: Any) -> None:
    with pytest.raises(ExperimentError, match="--cfg job"):
        rewrite(write("name: x\ndefaults:\n  - data: disk\n"))


def test_the_fields_of_the_old_trial_are_left_out(write: Any) -> None:
    text, _ = rewrite(write(OLD.format(**MASK_RCNN).replace("  merge_config: null", "  save_cfg: true\n  save_dir: x")))
    assert {"save_cfg", "save_dir"} & {*yaml.safe_load(text)["hyperparameters"]} == set()


def test_an_experiment_of_today_has_no_notes(write: Any) -> None:
    new = {
        "name": "new",
        "hyperparameters": {
            "config_file": "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
            "global_batch_size": 8,
            "override_mmdet_config": {"optim_wrapper.optimizer.lr": 0.1},
        },
        "searcher": {"name": "single", "metric": "bbox_mAP", "smaller_is_better": False},
    }
    path = write(yaml.safe_dump(new))
    assert compose(load_experiment(path), slots=8).notes == ()
    assert yaml.safe_load(rewrite(path)[0]) == new


def test_translated_pipelines_make_samples(write: Any, shapes_context: pathlib.Path) -> None:
    """What the strict checks accept must also run: one image through each."""
    root = shapes_context / "data/shapes"
    normalize = "{type: Normalize, mean: [1.0, 2.0, 3.0], std: [4.0, 5.0, 6.0], to_rgb: true}"
    text = f"""\
    data:
      train:
        ann_file: {root}/train.json
        img_prefix: {root}/train/
        pipeline:
          - {{type: LoadImageFromFile, to_float32: true}}
          - {{type: LoadAnnotations, with_bbox: true, with_mask: true}}
          - {{type: Resize, img_scale: [[128, 96], [128, 64]], multiscale_mode: value, keep_ratio: true}}
          - {{type: RandomCrop, crop_size: [60, 64], allow_negative_crop: true}}
          - {{type: RandomFlip, flip_ratio: 1.0}}
          - {normalize}
          - {{type: Pad, size_divisor: 32}}
          - {{type: DefaultFormatBundle}}
          - {{type: Collect, keys: [img, gt_bboxes, gt_labels, gt_masks]}}
        classes: [rectangle, ellipse]
      val:
        ann_file: {root}/val.json
        img_prefix: {root}/val/
        classes: [rectangle, ellipse]
        pipeline:
          - {{type: LoadImageFromFile}}
          - type: MultiScaleFlipAug
            img_scale: [128, 96]
            flip: false
            transforms:
              - {{type: Resize, keep_ratio: true}}
              - {{type: RandomFlip}}
              - {normalize}
              - {{type: Pad, size_divisor: 32}}
              - {{type: ImageToTensor, keys: [img]}}
              - {{type: Collect, keys: [img]}}
"""
    config = compose(load_experiment(write(with_overrides(text, batch=8, length=9))), slots=1).config
    register_all_modules()
    train, val = (DATASETS.build(config[f"{split}_dataloader"].dataset)[0] for split in ("train", "val"))
    assert train["inputs"].shape[1:] == (60, 64)
    assert train["data_samples"].flip
    assert val["data_samples"].metainfo["img_id"]
    assert config.model.data_preprocessor.mean == [1.0, 2.0, 3.0]


def with_merged(text: str, tmp_path: pathlib.Path) -> str:
    (tmp_path / "more.py").write_text(text)
    return OLD.format(**MASK_RCNN).replace("merge_config: null", "merge_config: ./more.py")


def test_a_merge_config_of_mmdet_2_is_not_inert(write: Any, tmp_path: pathlib.Path) -> None:
    old = "optimizer = dict(type='AdamW', lr=0.0001)\nlr_config = dict(step=[3])\n"
    path = write(with_merged(old, tmp_path))
    with pytest.raises(ConfigError) as caught:
        compose(load_experiment(path), slots=8)
    optimizer, schedule = caught.value.problems
    assert "optim_wrapper.optimizer.type: AdamW, optim_wrapper.optimizer.lr: 0.0001" in optimizer.next
    assert "param_scheduler.1.milestones: [3]" in schedule.next
    assert optimizer.where == f"{path}:8:3 (hyperparameters.merge_config.0)"


def test_variables_of_a_file_of_today_may_have_any_name(write: Any, tmp_path: pathlib.Path) -> None:
    new = "optimizer = dict(type='AdamW', lr=0.0001, _delete_=True)\noptim_wrapper = dict(optimizer=optimizer)\n"
    path = write(with_merged(new, tmp_path))
    assert compose(load_experiment(path), slots=8).config.optim_wrapper.optimizer.type == "AdamW"


def test_a_whole_config_of_mmdet_2(write: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "mine.py").write_text("model = dict(type='RetinaNet')\ndata = dict()\noptimizer = dict(type='SGD')\n")
    text = OLD.format(**MASK_RCNN).replace(f"/mmdetection/configs/{MASK_RCNN['config']}.py", "mine.py")
    with pytest.raises(ConfigError, match=r"written for mmdet 2\.x: 'mine\.py'"):
        compose(load_experiment(write(text)), slots=8)
