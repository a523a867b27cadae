"""What is said at the end."""

import io
import json

from rich.console import Console

from model_def.report.summary import summarize
from model_def.train import Outcome


def summary(output, **options):
    console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
    options = {"seconds": 75.0, "train_command": "python -m model_def train x.yaml", "picture": None, **options}
    summarize(Outcome(output=output, best=options.pop("best"), chief=True), console=console, **options)
    return console.file.getvalue()


def test_best_scores_files_and_next_commands(tmp_path):
    rows = [
        {
            "group": "validation",
            "steps_completed": steps,
            "epoch": 1,
            "metrics": {"bbox_mAP": ap, "bbox_mAP_50": 2 * ap},
        }
        for steps, ap in ((10, 0.4), (20, 0.3))
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "checkpoints" / "best").mkdir(parents=True)
    (tmp_path / "checkpoints" / "best" / "model.pth").touch()
    text = summary(tmp_path, best=(0.4, 10), picture=tmp_path / "pictures" / "p.png")
    assert "done in 1:15; the best checkpoint is the one after 10 batches" in text
    assert "bbox_mAP 0.400, bbox_mAP_50 0.800\n" in text
    for part in (str(tmp_path), "checkpoints/best/model.pth", "metrics.jsonl", "pictures/p.png"):
        assert part in text
    assert "config.py" not in text, "a file that is not there"
    assert f"\n  python -m model_def predict {tmp_path} IMAGE…\n" in text
    assert f"\n  python -m model_def train x.yaml --resume {tmp_path}\n" in text
    assert f"\n  tensorboard --logdir {tmp_path}/tensorboard\n" in text


def test_without_a_validation(tmp_path):
    text = summary(tmp_path, best=None)
    assert "there is no best checkpoint" in text
    assert "scores" not in text
