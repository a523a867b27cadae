"""The table of validations."""

import json
import math

from model_def.report.table import Validation, ValidationTable, common_prefix, number, read_validations


def validation(steps, **metrics):
    return Validation(steps_completed=steps, epoch=steps // 10, metrics=metrics)


def table(**options):
    return ValidationTable(**{"metric": "bbox_mAP", "smaller_is_better": False, **options})


def test_best_is_marked_and_named_when_it_is_an_earlier_one():
    rows = table()
    assert rows.add(validation(10, bbox_mAP=0.2, bbox_mAP_50=0.4))[-1].endswith("★ best so far")
    worse = rows.add(validation(20, bbox_mAP=0.1, bbox_mAP_50=0.9))
    assert worse[-1].endswith("best 0.200 at batch 10")
    assert rows.add(validation(30, bbox_mAP=0.3, bbox_mAP_50=0.1))[-1].endswith("★ best so far")


def test_smaller_is_better_turns_the_order():
    rows = table(metric="loss", smaller_is_better=True)
    rows.add(validation(10, loss=2.0))
    assert rows.add(validation(20, loss=1.0))[-1].endswith("★ best so far")


def test_the_first_of_two_equals_is_the_best_as_for_checkpoints():
    rows = table()
    rows.add(validation(10, bbox_mAP=0.2))
    assert rows.add(validation(20, bbox_mAP=0.2))[-1].endswith("best 0.200 at batch 10")


def test_a_metric_that_is_not_a_number_or_not_there_is_never_the_best():
    rows = table()
    assert rows.add(validation(10, bbox_mAP=math.nan))[-1].endswith("no bbox_mAP")
    assert rows.add(validation(20, other=1.0))[-1].endswith("no bbox_mAP")
    rows.add(validation(30, bbox_mAP=0.0))
    assert rows.best is not None
    assert rows.best.steps_completed == 30


def test_heading_once_until_something_else_was_printed():
    rows = table()
    assert len(rows.add(validation(10, bbox_mAP=0.2))) == 2
    assert len(rows.add(validation(20, bbox_mAP=0.2))) == 1
    rows.repeat_heading()
    assert len(rows.add(validation(30, bbox_mAP=0.2))) == 2


def test_columns_stay_under_their_headings():
    heading, row = table().add(validation(10, bbox_mAP=0.25, bbox_mAP_50=0.5))
    assert heading.index("mAP*") + len("mAP*") == row.index("0.250") + len("0.250")
    assert heading.index("mAP_50") + len("mAP_50") == row.index("0.500") + len("0.500")


def test_no_metric_is_lost_on_a_narrow_terminal():
    metrics = {f"metric_number_{i}": float(i) for i in range(12)} | {"bbox_mAP": 0.5}
    text = "\n".join(table(width=80).add(validation(10, **metrics)))
    assert all(name in text for name in metrics)
    assert "bbox_mAP*" in text.splitlines()[0], "the deciding metric always has a column"
    assert max(map(len, text.splitlines()[:2])) <= 80


def test_prefix_is_taken_off_only_if_all_names_share_it():
    assert common_prefix(["bbox_mAP", "bbox_mAP_50"]) == "bbox_"
    assert common_prefix(["bbox_mAP", "segm_mAP"]) == ""
    assert common_prefix(["mAP", "AP50"]) == ""
    assert common_prefix(["bbox_mAP"]) == ""


def test_numbers():
    assert [number(v) for v in (0.12345, -1, math.nan, 1234.5, 0)] == ["0.123", "–", "–", "1234", "0.000"]


def test_validations_of_a_metrics_file(tmp_path):
    lines = [
        {"group": "training", "steps_completed": 1, "epoch": 0, "metrics": {"loss": 1.0}},
        {"group": "validation", "steps_completed": 2, "epoch": 1, "metrics": {"bbox_mAP": 0.5, "x": None}},
    ]
    file = tmp_path / "metrics.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)) + '\n{"group": "valid')
    (found,) = read_validations(file)
    assert (found.steps_completed, found.epoch, found.metrics["bbox_mAP"]) == (2, 1, 0.5)
    assert math.isnan(found.metrics["x"])
    assert read_validations(tmp_path / "nothing") == []
