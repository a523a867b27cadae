"""`cp`: a new experiment from another one, or from a config of the zoo."""

import importlib.util

import pytest
import yaml

from model_def import cli
from model_def.compose import compose
from model_def.copying import copy, find
from model_def.errors import ConfigError, ExperimentError, OutputError
from model_def.experiment import load_experiment
from model_def.metric import check_metric, loop_without_data
from model_def.zoo import zoo
from tests.support.commands import REPO, model_def

SCHEMAS = REPO.parent / "shared/expconf/validate.py"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def own(tmp_path, text, name="mine"):
    (tmp_path / "experiments/family").mkdir(parents=True, exist_ok=True)
    path = tmp_path / f"experiments/family/{name}.yaml"
    path.write_text(text)
    return path


MINE = """\
# Counts sheep.
#
#   python -m model_def train experiments/family/mine.yaml
#   det experiment create experiments/family/mine.yaml .    # not experiments/family/mine.yaml.old
name: mine
hyperparameters:
  merge_config: merge_configs/mine.py  # experiments/family/mine.yaml
  dataset: {root: data/sheep}
"""


@pytest.mark.parametrize("name", ["experiments/family/mine.yaml", "mine"])
def test_an_experiment_keeps_everything_but_its_name_and_its_commands(tmp_path, name):
    own(tmp_path, MINE)
    file = copy(name, tmp_path / "new/goats.yaml")
    text, there = file.read_text(), (tmp_path / "new/goats.yaml").as_posix()
    assert text == MINE.replace("name: mine", "name: goats").replace(
        "train experiments/family/mine.yaml", f"train {there}"
    ).replace("create experiments/family/mine.yaml .", f"create {there} .")


def test_a_shipped_experiment_loads_and_composes_alike(tmp_path, monkeypatch):
    monkeypatch.chdir(REPO)
    file = copy("quickstart", tmp_path)
    assert file == tmp_path / "quickstart.yaml"
    original = load_experiment(REPO / "experiments/quickstart.yaml", ["dataset.classes=[tree]"])
    copied = load_experiment(file, ["dataset.classes=[tree]"])
    assert copied.raw == original.raw
    assert compose(copied, slots=1).config.to_dict() == compose(original, slots=1).config.to_dict()


def test_nothing_is_written_over(tmp_path):
    own(tmp_path, MINE)
    (tmp_path / "mine.yaml").write_text("precious")
    for dest in (tmp_path, tmp_path / "mine.yaml"):
        with pytest.raises(OutputError, match="there already"):
            copy("mine", dest)
    assert (tmp_path / "mine.yaml").read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "dest", "error", "words"),
    [
        ("mein", "x.yaml", ExperimentError, "did you mean `mine`"),
        ("retinanet_r50_fpn_1x_koko", "x.yaml", ExperimentError, "retinanet_r50_fpn_1x_coco"),
        ("grounding_dino_swin-t_pretrain_odinw13", "x.yaml", ExperimentError, "the name of several"),
        ("mine", "x.py", OutputError, "an experiment is a YAML file"),
        ("mine", "file/x.yaml", OutputError, "can't be written"),
        ("common/lsj-100e_coco-detection.py", "x.yaml", ConfigError, "doesn't train: it has no model"),
    ],
)
def test_what_can_not_be_done_is_refused(tmp_path, name, dest, error, words):
    own(tmp_path, MINE)
    (tmp_path / "file").write_text("")
    with pytest.raises(error, match=words):
        copy(name, tmp_path / dest)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["experiments", "file"]


def test_an_experiment_comes_before_a_config_of_the_same_name(tmp_path):
    path = own(tmp_path, MINE, name="retinanet_r50_fpn_1x_coco")
    assert find("retinanet_r50_fpn_1x_coco").resolve() == path
    for name in ("retinanet/retinanet_r50_fpn_1x_coco", "retinanet_r50_fpn_1x_coco.py"):
        assert find(name) == zoo() / "retinanet/retinanet_r50_fpn_1x_coco.py"


# One of each kind: boxes, masks, panoptic, proposals, LVIS, VOC, semi-supervised, iterations, no base batch size.
SAMPLE = {
    "faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py": ("bbox_mAP", 16),
    "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py": ("segm_mAP", 16),
    "panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py": ("PQ", 16),
    "rpn/rpn_r50_fpn_1x_coco.py": ("AR@1000", 16),
    "lvis/mask-rcnn_r50_fpn_sample1e-3_ms-1x_lvis-v1.py": ("segm_AP", 16),
    "pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py": ("mAP", 16),
    "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py": ("teacher/bbox_mAP", 40),
    "rtmdet/rtmdet_tiny_8xb32-300e_coco.py": ("bbox_mAP", 256),
    "mask2former_vis/mask2former_r50_8xb2-8e_youtubevis2021.py": ("segm_mAP", 16),
    "yolact/yolact_r50_1xb8-55e_coco.py": ("segm_mAP", 8),
}


def problems(content):
    if not SCHEMAS.exists():
        pytest.skip("Determined's own schemas are not beside this checkout (../shared/expconf)")
    spec = importlib.util.spec_from_file_location("validate", SCHEMAS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.problems(content)


@pytest.mark.parametrize("config", SAMPLE)
def test_a_config_becomes_an_experiment_that_trains_it_as_it_is(tmp_path, config, monkeypatch):
    monkeypatch.setattr("model_def.compose.require.device", lambda *_: None)
    file = copy(config, tmp_path / "new.yaml")
    experiment, text = load_experiment(file), file.read_text()
    composed = compose(experiment, slots=1).config.to_dict()
    metric, batch = SAMPLE[config]
    assert (experiment.name, experiment.hyperparameters.config_file) == ("new", config)
    assert (experiment.searcher.metric, experiment.hyperparameters.global_batch_size) == (metric, batch)
    check_metric(loop_without_data(composed), experiment)
    assert f"python -m model_def train {file}" in text
    assert f"det experiment create {file} ." in text
    assert problems(yaml.safe_load(text)) == []


def test_what_is_commented_out_can_be_taken_in(tmp_path):
    file = copy("faster-rcnn_r50_fpn_1x_coco", tmp_path)
    lines = file.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line == "  # dataset:")
    taken = [
        line.replace("  # ", "  ", 1) if start <= number <= start + 3 else line for number, line in enumerate(lines)
    ]
    taken = [line.replace("# use_pretrained", "use_pretrained").replace("# resources:", "resources:") for line in taken]
    taken = [line.replace("#   slots_per_trial", "  slots_per_trial") for line in taken]
    file.write_text("\n".join(taken))
    experiment = load_experiment(file)
    assert experiment.hyperparameters.dataset.root == "data/mine"
    assert (experiment.hyperparameters.use_pretrained, experiment.slots_per_trial) == (True, 8)


def test_the_command_writes_and_says_what_to_do_next(tmp_path):
    done = model_def("cp", "retinanet/retinanet_r18_fpn_1x_coco", "mine/r18.yaml", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "wrote mine/r18.yaml",
        "  python -m model_def check mine/r18.yaml",
        "  python -m model_def train mine/r18.yaml",
    ]
    assert "python -m model_def train mine/r18.yaml" in (tmp_path / "mine/r18.yaml").read_text()
    again = model_def("cp", "retinanet/retinanet_r18_fpn_1x_coco", "mine/r18.yaml", cwd=tmp_path, code=2)
    assert again.stderr.startswith("the file is there already: 'mine/r18.yaml'\n")


def test_a_missing_argument_is_told(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["cp", "mine"])
    assert stop.value.code == 2
    assert "required: DEST" in capsys.readouterr().err
