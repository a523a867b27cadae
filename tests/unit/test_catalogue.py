"""`ls`: experiments, and the zoo's configs with what is published about them."""

import json
import subprocess
import sys

import pytest

from model_def import cli
from model_def.published import published
from model_def.zoo import zoo, zoo_names
from tests.support.commands import REPO

TINY = "rtmdet/rtmdet_tiny_8xb32-300e_coco.py"


@pytest.fixture(scope="module")
def known():
    return published()


def listed(capsys, *words):
    assert cli.main(["ls", *words]) == 0
    return capsys.readouterr().out


def test_metafiles_say_what_the_zoo_has(known):
    row = known["mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"]
    assert row.scores == {"box AP": 38.2, "mask AP": 34.7}
    assert (row.family, row.memory, row.resources, row.datasets) == ("Mask R-CNN", 4.4, "8x V100 GPUs", ("COCO",))
    assert row.weights.startswith("https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/")


def test_every_row_is_a_config_even_where_the_metafile_misspells_it(known):
    assert {*known} <= {*zoo_names()}
    assert len(known) > 580
    assert known["gn+ws/faster-rcnn_r50_fpn_gn-ws-all_1x_coco.py"].scores == {"box AP": 39.7}
    assert known["albu_example/mask-rcnn_r50_fpn_albu-1x_coco.py"].memory == 4.4
    assert (zoo() / "ddq/ddq-detr-4scale_r50_8xb2-12e_coco.py").is_file()
    assert known["ddq/ddq-detr-4scale_r50_8xb2-12e_coco.py"].weights


def test_one_folder_alone_says_the_same(known):
    assert published("retinanet") == {name: row for name, row in known.items() if name.startswith("retinanet/")}


def test_scores_memory_and_weights_stand_in_columns(capsys):
    lines = listed(capsys, "RTMDet", "tiny").splitlines()
    header = next(line for line in lines if line.split() == ["box", "mask", "GB", "weights"])
    row = next(line for line in lines if line.startswith(TINY))
    assert row.split() == [TINY, "40.9", "11.7", "yes"]
    assert [header.index(name) + len(name) for name in ("box", "GB", "weights")] == [
        row.index(cell) + len(cell) for cell in ("40.9", "11.7", "yes")
    ]
    unpublished = next(line for line in lines if line.startswith("rtmdet/classification/"))
    assert len(unpublished.split()) == 1


def test_the_best_of_a_folder_comes_first(capsys):
    lines = listed(capsys, "retinanet/").splitlines()
    scores = [float(line.split()[1]) for line in lines if line.startswith("retinanet/") and len(line.split()) > 1]
    assert len(scores) > 10
    assert scores == sorted(scores, reverse=True)


def test_words_match_method_and_data_set_and_all_must(capsys):
    assert "yolo/yolov3_d53_8xb8-320-273e_coco.py" in listed(capsys, "YOLOv3", "320")
    assert "lvis/" in (text := listed(capsys, "mask", "LVIS v1"))
    assert "_lvis-v0.5" not in text


def test_lines_fit_a_terminal(capsys):
    lines = listed(capsys, "faster").splitlines() + listed(capsys).splitlines()
    assert max(map(len, lines)) <= 120
    assert not any("\t" in line for line in lines)


@pytest.mark.parametrize(
    ("words", "hint"),
    [(["retinanett"], "`retinanet`"), (["faster_rnn", "coco"], "`faster_rcnn`"), (["quikstart"], "`quickstart`")],
)
def test_nothing_found_names_the_nearest(words, hint, capsys):
    assert (text := listed(capsys, *words)).startswith("nothing matches")
    assert hint in text


def test_an_experiment_has_the_score_of_a_config_that_it_does_not_change(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").mkdir()
    for name, more in (("same", ""), ("other", "\n  override_mmdet_config: {model.neck.num_outs: 6}")):
        text = f"# A title.\nhyperparameters:\n  config_file: {TINY}{more}\n"
        (tmp_path / f"experiments/{name}.yaml").write_text(text)
    assert listed(capsys).splitlines()[:2] == [
        "experiments/other.yaml  A title.",
        "experiments/same.yaml   A title., box AP 40.9",
    ]


def test_json_has_all_that_is_known(capsys, known):
    assert cli.main(["ls", "--json", "rtmdet_tiny"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [entry["config_file"] for entry in found["zoo"]] == [TINY]
    assert found["zoo"][0]["weights"] == known[TINY].weights
    assert found["zoo"][0]["scores"] == {"box AP": 40.9}


def test_it_imports_nothing_heavy():
    look = "print({'torch', 'mmengine'} & {*sys.modules})"
    code = f"import sys; from model_def.cli import main; main(['ls', 'coco']); {look}"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
