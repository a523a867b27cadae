"""What is wrong with an experiment and a table of its fields can't say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from model_def.container_image import name_problems
from model_def.errors import Problem
from model_def.experiment_fields import BATCHES, HYPERPARAMETERS, LENGTH, LENGTH_OR_INTEGER
from model_def.fields import SECRET
from model_def.fields import problems as field_problems
from model_def.storage.options import OPTIONS, STORES, option_problems
from model_def.yaml_source import Source

ENTRYPOINT = "python3 -m determined.launch.torch_distributed python3 -m model_def.train"
# Searchers of older versions. A master refuses them as well.
REMOVED = {
    "custom": "was removed from Determined: a program of your own decided what it tried",
    "sync_halving": "was removed from Determined: it waited for each rung",
    "adaptive": "was removed from Determined: `adaptive_asha` does not wait",
    "adaptive_simple": "was removed from Determined: `adaptive_asha` does not wait",
}
# What Determined's own trials are told here and mmengine in the config; the values do nothing, and what says it there.
OPTIMIZATIONS = {
    "aggregation_frequency": (1, "optim_wrapper.accumulative_counts: {}"),
    "gradient_compression": (False, "model_wrapper_cfg: {{…}}"),
    "mixed_precision": ("O0", "optim_wrapper.type: AmpOptimWrapper"),
}
LENGTHS = ("min_validation_period", "min_checkpoint_period", "searcher.max_length")


def get(config: Mapping[str, Any], *path: str) -> Any:
    """The value at a path of keys, or None."""
    node: Any = config
    for part in path:
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def deeper_problems(config: dict[str, Any], source: Source) -> Iterator[Problem]:
    """What a table of fields can't say."""
    for name in LENGTHS:
        yield from _length_problems(get(config, *name.split(".")), name, source)
    yield from _removed_problems(get(config, "searcher", "name"), source)
    yield from _optimization_problems(config, source)
    yield from _two_lengths(config, source)
    yield from name_problems(config.get("environment"), source)
    yield from _part_problems(config, source, "hyperparameters", "use_pretrained", "min_loaded")
    yield from _batches_problems(config, source, "hyperparameters", "profile_batches")
    client = get(config, "data", "file_client_args")
    yield from field_problems(client, HYPERPARAMETERS["file_client_args"], source, ("data", "file_client_args"))
    for section in ("data", "hyperparameters"):
        yield from client_problems(get(config, section, "file_client_args"), source, (section, "file_client_args"))


def client_problems(client: Any, source: Source, place: tuple[str, ...]) -> Iterator[Problem]:
    """What is wrong with `file_client_args` beyond the kinds of its values."""
    if not isinstance(client, dict):
        return
    backend, where = client.get("backend"), source.where(*place)
    for key in (key for key in client if SECRET.search(str(key))):
        yield Problem(
            what=f"credentials don't belong into an experiment, which is kept and shown: `{key}`",
            where=source.where(*place, key),
            allowed="what boto3 and Google's client find by themselves",
            next="set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or GOOGLE_APPLICATION_CREDENTIALS",
        )
    if client.get("prefix") and not client.get("bucket_name"):
        yield Problem(
            what="`prefix` without `bucket_name` has no effect",
            value=client["prefix"],
            where=source.where(*place, "prefix"),
            allowed="the folder of the bucket in which relative paths begin",
            next="write `bucket_name: …` beside it",
        )
    others = [key for key in (*OPTIONS, "bucket_name") if client.get(key) is not None]
    if backend in ("disk", "fake") and others:
        what = f"the backend {backend} has no {', '.join(others)}"
        yield Problem(what=what, where=where, allowed="backend: s3 or gcs", next=f"write `backend: {backend}` alone")
    elif backend in STORES:
        for problem in option_problems({key: client[key] for key in OPTIONS if key in client}):
            at = source.where(*place, *problem.where.split("."))
            yield dataclasses.replace(
                problem, where=at, next=problem.next or f"write `{problem.where}: …` as {problem.allowed}"
            )


def _removed_problems(name: Any, source: Source) -> Iterator[Problem]:
    if isinstance(name, str) and name in REMOVED:
        yield Problem(
            what=f"the searcher `{name}` {REMOVED[name]}",
            where=source.where("searcher", "name"),
            allowed="single, random, grid, adaptive_asha",
            next="write `name: adaptive_asha`, or let your program run `python -m model_def train … key=value`",
        )


def _two_lengths(config: dict[str, Any], source: Source) -> Iterator[Problem]:
    """The old adapter's length and the config's own: overrides come last."""
    length, overrides = get(config, "searcher", "max_length"), get(config, "hyperparameters", "override_mmdet_config")
    for unit, key in (("epochs", "max_epochs"), ("batches", "max_iters")):
        wanted, own = get(overrides, f"train_cfg.{key}"), get(overrides, "train_cfg", key)
        given = own if wanted is None else wanted
        if length is not None and given is not None and length != {unit: given}:
            yield Problem(
                what=f"`searcher.max_length` has no effect beside `train_cfg.{key}={given}` in `override_mmdet_config`",
                value=length,
                where=source.where("searcher", "max_length"),
                allowed="one length",
                next="remove one of them",
            )


def _optimization_problems(config: dict[str, Any], source: Source) -> Iterator[Problem]:
    for name, (neutral, instead) in OPTIMIZATIONS.items():
        value = get(config, "optimizations", name)
        if value not in (None, 0, neutral):
            yield Problem(
                what=f"`optimizations.{name}` has no effect: the config decides",
                value=value,
                where=source.where("optimizations", name),
                allowed=f"{neutral}, which does nothing".replace("False", "false"),
                next=f"write `override_mmdet_config: {{{instead.format(value)}}}`",
            )


def _part_problems(config: dict[str, Any], source: Source, *place: str) -> Iterator[Problem]:
    value = get(config, *place)
    if isinstance(value, int | float) and value > 1:
        what, where = f"`{'.'.join(place)}` is a part, not a percentage", source.where(*place)
        yield Problem(
            what=what, value=value, where=where, allowed="0 to 1", next=f"write `{place[-1]}: {value / 100:g}`"
        )


def _batches_problems(config: dict[str, Any], source: Source, *place: str) -> Iterator[Problem]:
    value = get(config, *place)
    numbers = isinstance(value, list) and all(type(one) is int for one in value)  # others are of a wrong kind
    if numbers and not (len(value) == 2 and value[0] <= value[1]):
        what, where = f"`{'.'.join(place)}` is not a first and a last batch", source.where(*place)
        yield Problem(what=what, value=value, where=where, allowed=BATCHES, next=f"write `{place[-1]}: [10, 14]`")


def _length_problems(value: Any, name: str, source: Source) -> Iterator[Problem]:
    if value is None or not LENGTH_OR_INTEGER.accepts(value) or (isinstance(value, dict) and len(value) == 1):
        return
    if isinstance(value, int) and name != "searcher.max_length":
        return  # already a wrong type
    what = f"`{name}` has no unit" if isinstance(value, int) else f"`{name}` must have one unit"
    where = source.where(*name.split("."))
    yield Problem(what=what, value=value, where=where, allowed=LENGTH.allowed, next=f"write `{name}: {{epochs: 12}}`")


def refused_note(place: tuple[str, ...], source: Source) -> str:
    """What to write in the place of a mapping that a master would take for a search."""
    return (
        f"{source.where(*place)}: a Determined master refuses a `type` of your own here; "
        f"write `{place[-1]}: {{type: const, val: {{…}}}}`, or dotted keys such as `{place[-1]}.type: …`"
    )


def old_forms(config: dict[str, Any]) -> Iterator[str]:
    """Notes for what was accepted and has a newer form."""
    if "model_def:MMDetTrial" in str(config.get("entrypoint")):
        yield f"entrypoint: model_def:MMDetTrial is an old form; write `entrypoint: {ENTRYPOINT}`"
    if config.get("records_per_epoch"):
        yield "records_per_epoch is not needed: the images are counted"
    if config.get("data_layer"):
        yield "data_layer is not read: it has gone from Determined, and hyperparameters.file_client_args reads buckets"
    for name in ("begin_on_batch", "end_after_batch"):
        if get(config, "profiling", name):
            yield f"profiling.{name} has no effect: all is measured; hyperparameters.profile_batches traces batches"
    for name in sorted((config.get("data") or {}).keys() - {"file_client_args"}):
        yield f"data.{name} is not read here; code of your own finds it in determined.get_cluster_info()"
    if get(config, "data", "file_client_args"):
        yield "data.file_client_args is an old form; write `hyperparameters.file_client_args`"
