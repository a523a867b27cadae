"""The text of a small experiment for a config of the zoo, with what the config says about batch, metric and data."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from model_def.compose.datasets import entries, loader_datasets
from model_def.compose.load import load_config
from model_def.compose.require import lacking, untrainable
from model_def.compose.suited import several_sources
from model_def.compose.tree import dicts
from model_def.errors import ConfigError
from model_def.evaluate.foretold import foretold
from model_def.evaluate.names import name_prefixes
from model_def.metric import loop_without_data
from model_def.published import Published, published_for
from model_def.zoo import zoo

# The one to rank by, of those that are reported: all segments, then masks, then boxes, as the zoo does.
RANKING = ("PQ", "segm_mAP", "bbox_mAP", "segm_AP", "bbox_AP", "mAP", "AR@1000", "AR@300", "AR@100")
# What other evaluators of mmdet report; without any the loss ranks.
BY_EVALUATOR = {
    "CocoMetric": "bbox_mAP",
    "LVISFixedAPMetric": "AP",
    "MOTChallengeMetric": "HOTA",
    "OVCocoMetric": "bbox_mAP",
    "ReIDMetrics": "mAP",
    "YouTubeVISMetric": "segm_mAP",
}
SHORT_FORM = ("CocoDataset", "CocoPanopticDataset", "LVISV1Dataset", "LVISV05Dataset")
WIDTH = 110  # of a comment
GPUS = 8  # what the zoo means where a config says nothing
TEMPLATE = """\
{title}
#
#   python -m model_def check {file}
#   python -m model_def train {file}
#   det experiment create {file} .
#
{data}name: {name}
entrypoint: python3 -m determined.launch.torch_distributed python3 -m model_def.train

hyperparameters:
  config_file: {config}
  # Images in a batch, over all processes. {why}
  global_batch_size: {batch}
{weights}{dataset}
searcher:
  name: single
  metric: {metric}
  smaller_is_better: {smaller}

# Determined starts one process for each slot; the zoo trained with {gpus}.
# resources:
#   slots_per_trial: {gpus}
reproducibility:
  experiment_seed: 0
max_restarts: 5
# A mistake, a loss that is not finite, too little memory: starting again would change nothing.
log_policies:
  - {{name: Not mended by a restart, pattern: A restart can't mend this, action: cancel_retries}}
  - {{name: ECC Error, pattern: .*uncorrectable ECC error encountered.*, action: exclude_node}}
"""
OWN_DATA = """\
  # Data of your own in place of the config's, in COCO's form; the classes are those of the annotations:
  # dataset:
{kind}  #   root: data/mine
  #   train: {{ann_file: train.json, img_prefix: train/{masks}}}
  #   val: {{ann_file: val.json, img_prefix: val/{val_masks}}}
"""
WEIGHTS = """\
  # The zoo's weights of this config, to start from:
  # use_pretrained: true
"""


def experiment_for(config: str, file: Path) -> str:
    """The YAML of an experiment that trains a config of the zoo as it is.

    Args:
        config: `retinanet/retinanet_r50_fpn_1x_coco.py`.
        file: where the text is going to be.

    Raises:
        ConfigError: the config doesn't load here, or doesn't train.
    """
    tree = load_config(zoo() / config, context=Path.cwd(), where=config)
    if missing := lacking(tree):
        raise untrainable(missing, config, str(zoo() / config), family=config.split("/")[0])
    row, metric = published_for(zoo() / config) or Published(), ranking(tree)
    batch, why, gpus = _batch(config, tree)
    return TEMPLATE.format(
        title="\n".join(_comment(_title(config, row))),
        file=file.as_posix(),
        data="".join(f"{line}\n" for line in _data(tree)),
        name=yaml.safe_dump(file.stem, default_flow_style=True).splitlines()[0],
        config=config,
        batch=batch,
        why=why,
        gpus=gpus,
        weights=WEIGHTS if row.weights else "",
        dataset=_own_data(tree),
        metric=metric,
        smaller="true" if metric == "loss" else "false",
    )


def ranking(tree: dict[str, Any]) -> str:
    """The metric of the config's evaluators to rank checkpoints by."""
    if not all(tree.get(key) for key in ("val_dataloader", "val_evaluator")):
        return "loss"
    try:
        loop = loop_without_data({**tree, "val_cfg": tree.get("val_cfg") or {}})
        names = foretold(loop.evaluator, name_prefixes(loop))
    except (ConfigError, OSError, TypeError, ValueError):  # one needs a package or its file, or can't be built
        names = ()
    best = (name for wanted in RANKING for name in names if name.rpartition("/")[2] == wanted)
    return next(best, names[0] if names else _of_others(tree["val_evaluator"]))


def _of_others(evaluators: Any) -> str:
    """The metric of evaluators that can't be foretold, by their types; of several data sets that of the first."""
    given = entries(evaluators)
    first = next((f"{prefix}/" for one in given for prefix in one.get("dataset_prefixes") or ()), "")
    kinds = [str(node.get("type")) for _, node in dicts(given)]
    return next((first + BY_EVALUATOR[kind] for kind in kinds if kind in BY_EVALUATOR), "loss")


def _batch(config: str, tree: dict[str, Any]) -> tuple[int, str, int]:
    """The global batch size, where it is from, and the number of GPUs that goes with it."""
    each = tree["train_dataloader"].get("batch_size") or 1
    base = (tree.get("auto_scale_lr") or {}).get("base_batch_size")
    if base and base % each == 0:
        return base, "The config's learning rate is for this many.", base // each
    written = re.search(r"(\d+)xb(\d+)", config)
    gpus = int(written[1]) if written else GPUS
    return each * gpus, f"The zoo trains with {gpus} GPUs, with {each} on each.", gpus


def _title(config: str, row: Published) -> str:
    scores = ", ".join(f"{name} {value:.1f}" for name, value in row.scores.items())
    on = f" on {row.datasets[0]}" if row.datasets else ""
    return f"{row.family or Path(config).parent.name}: the zoo's {Path(config).stem}" + (
        f", {scores}{on}." if scores else "."
    )


def _data(tree: dict[str, Any]) -> Iterator[str]:
    """Comment lines: where the config expects its data."""
    roots: dict[str, list[str]] = {}
    for loader in ("train_dataloader", "val_dataloader"):
        for _, dataset in loader_datasets(tree, loader):
            prefixes = (dataset.get("data_prefix") or {}).values()
            files = [each for each in (dataset.get("ann_file"), *prefixes) if isinstance(each, str) and each]
            roots.setdefault(str(dataset.get("data_root") or "./"), []).extend(files)
    for root, files in roots.items():
        text = f"Data is expected in {root.rstrip('/')}: {', '.join(dict.fromkeys(files))}"
        yield from _comment(text)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False)


def _own_data(tree: dict[str, Any]) -> str:
    kind = next((str(one.get("type")) for _, one in loader_datasets(tree, "train_dataloader")), "")
    if kind not in SHORT_FORM or several_sources(tree):
        return ""
    panoptic = kind == "CocoPanopticDataset"
    return OWN_DATA.format(
        kind="" if kind == "CocoDataset" else f"  #   type: {kind}\n",
        masks=", seg_prefix: train_masks/" if panoptic else "",
        val_masks=", seg_prefix: val_masks/" if panoptic else "",
    )
