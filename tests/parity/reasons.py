"""Why a config can't be compared, in words of its own: what stock says, and what is behind it."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

# What a row's reason says, and why that is so. These hold for mmdet 3.3.0 and mmengine 0.10.7.
REASONS = {
    r"^it has no ": "a part of other configs, or one that only tests",
    r"for device cpu not found": "mmcv has the operator for GPUs alone",
    r"'DetDataSample' object has no attribute 'text'": (
        "made for evaluation without training: the training that it inherits gives the model no text"
    ),
    r"SSDHead' object has no attribute 'loss_cls'": (
        "mmdet's SSD heads can't validate: `BaseDenseHead.predict_by_feat` reads `loss_cls`, which they don't have"
    ),
    r"argument 'eval_mode'": "it hands CocoMetric an argument that its base has for VOCMetric",
    r"Only one of `type` or `by_epoch`": "its `train_cfg` has both `type` and `by_epoch`, which mmengine refuses",
    r"CascadeRPNHead.__init__\(\) missing": "mmdet's CascadeRPNHead must be told `num_classes`, and the config doesn't",
    r"KeyError: 'is_group_of'": "mmdet names it `is_group_ofs` in this dataset and `is_group_of` in its metric",
    r"configs/sort/\S* does not exist": "the wheel has its base under another name",
    r"inhomogeneous shape": "mmdet's `eval_recalls` makes one array of rows of unequal lengths; numpy refuses that now",
    r"Detectron2 first": "PyPI has no Detectron2",
    r"module 'numpy' has no attribute": "a package of the evaluator's uses a name that numpy has given up",
    r"^too slow": "takes longer than the time that a run has",
}
OTHER = "as its row says"


def why(row: dict[str, Any]) -> str:
    """What is behind the reason of a row that isn't equal."""
    return next((words for pattern, words in REASONS.items() if re.search(pattern, row["reason"])), OTHER)


def table(rows: list[dict[str, Any]]) -> str:
    """Every cause with the number of its configs, as lines of a table; empty where all are equal."""
    found = Counter((row["result"], why(row)) for row in rows if row["result"] != "equal")
    return "".join(f"| {result} | {words} | {count} |\n" for (result, words), count in found.most_common())
