"""mmdet 2.x's `data`: its data sets are the `dataset` of a dataloader each, its files are relative to `data_root`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_def.migrate.files import FILES, Place, files, own_files
from model_def.migrate.meaning import Around, Meaning, left_out, moved, refused
from model_def.migrate.pipeline import is_old, pipeline
from model_def.migrate.transforms import Untranslatable

SPLITS = ("train", "val", "test")
LOADER = {"workers_per_gpu": "num_workers"}
BATCH = "`global_batch_size` decides"
# Keys of the data set that reads the files, however it is wrapped.
INNERMOST = {
    "type": "type",
    "filter_empty_gt": "filter_cfg.filter_empty_gt",
    "test_mode": "test_mode",
    "classes": "metainfo.classes",
}
# What a single key of a step in a pipeline is today, by the type of the step that has it.
STEPS = {"flip_ratio": ("RandomFlip", "prob"), "img_scale": ("Resize", "scale")}


def data(old: Mapping[str, Any], around: Around) -> Iterator[Meaning | None]:
    """The meanings of all keys below `data`, in the order of `old`; None for those that mmdet 2.x hadn't."""
    for key, value in old.items():
        first, _, rest = key.removeprefix("data.").partition(".")
        if not rest:
            yield _both(key, first, value, around)
        elif first.removesuffix("_dataloader") in SPLITS and first.endswith("_dataloader"):
            yield _loader_option(key, first, rest, value)
        elif first in SPLITS:
            yield _dataset(key, first, rest, value, around)
        else:
            yield None


def _both(key: str, name: str, value: Any, around: Around) -> Meaning | None:
    if name == "samples_per_gpu":
        return left_out(key, BATCH)
    if name not in ("workers_per_gpu", "persistent_workers", "pin_memory"):
        return None
    loaders = [f"{split}_dataloader" for split in ("train", "val") if around.config.get(f"{split}_dataloader")]
    new = {f"{loader}.{LOADER.get(name, name)}": value for loader in loaders}
    if name == "workers_per_gpu" and value == 0:  # torch refuses to keep workers that aren't there
        new |= {f"{loader}.persistent_workers": False for loader in loaders}
    return Meaning(old=key, new=new)


def _loader_option(key: str, loader: str, name: str, value: Any) -> Meaning:
    if name == "samples_per_gpu" and loader == "train_dataloader":
        return left_out(key, BATCH)
    new = {"samples_per_gpu": "batch_size", **LOADER}.get(name, name)
    if name == "shuffle":
        return moved(key, f"{loader}.sampler.shuffle", value=value)
    return moved(key, f"{loader}.{new}", value=value)


def _dataset(key: str, split: str, rest: str, value: Any, around: Around) -> Meaning | None:
    loader = f"{split}_dataloader"
    dataset = (around.config.get(loader) or {}).get("dataset")
    if not isinstance(dataset, dict):
        return refused(key, f"the config has no `{loader}`", f"{loader}: {{…}}")
    parts = rest.split(".")
    if rest == "samples_per_gpu":
        return left_out(key, BATCH) if split == "train" else moved(key, f"{loader}.batch_size", value=value)
    at = Place.find(f"{loader}.dataset", dataset, parts)
    name = at.rest[0] if at.rest else ""
    if name == "pipeline":
        return _pipeline(key, at.with_key("pipeline"), at.rest[1:], value, around)
    inner = at.innermost()
    if name in (*FILES, *INNERMOST, "proposal_file") and inner is None:
        line = f"{at.deepest().path}.datasets.0.{name}: …, and so on for each of them"
        return refused(key, "the config trains on several data sets at once", line)
    if inner is not None and name in FILES:
        given = {name: around.old[key] for key, name in own_files(around.old, f"data.{split}.", at.prefix)}
        return files(key, name, given, inner, around.config.get(f"{split}_evaluator"), f"{split}_evaluator")
    return _option(key, name, value, at, inner or at)


def _option(key: str, name: str, value: Any, at: Place, inner: Place) -> Meaning | None:
    if name == "proposal_file":
        return refused(key, "proposals have a place of their own", "a ProposalBroadcaster, as in fast_rcnn's configs")
    if name == "classes" and not isinstance(value, list | tuple):
        return refused(key, "names of classes are not read from a text file", f"{key}: [first, second]")
    if name in INNERMOST and len(at.rest) == 1:
        return moved(key, f"{inner.path}.{INNERMOST[name]}", value=value)
    return moved(key, f"{at.path}.{'.'.join(at.rest)}", value=value) if at.rest else None


def _pipeline(key: str, at: Place, rest: list[str], value: Any, around: Around) -> Meaning:
    own = at.node.get("pipeline") or []
    if rest:
        return _step(key, at, rest, value, own)
    if not is_old(value):
        return moved(key, f"{at.path}.pipeline", value=value)
    try:
        found = pipeline(value, own)
    except Untranslatable as error:
        return refused(key, str(error), error.instead)
    place = _preprocessor(around.config.get("model") or {}, "model")
    now = {f"{place}.{name}": item for name, item in found.preprocessor.items()}
    return Meaning(old=key, new={f"{at.path}.pipeline": found.steps, **now})


def _step(key: str, at: Place, rest: list[str], value: Any, own: list[dict[str, Any]]) -> Meaning:
    """One key of one step. Steps have other numbers today, so its place follows from its name."""
    kind, name = STEPS.get(rest[-1], ("", rest[-1]))
    places = [index for index, step in enumerate(own) if step.get("type") == kind]
    if len(rest) == 2 and len(places) == 1:
        return moved(key, f"{at.path}.pipeline.{places[0]}.{name}", value=value)
    steps = ", ".join(f"{index}: {step.get('type')}" for index, step in enumerate(own))
    why = f"the steps of a pipeline have other numbers and names today ({steps})"
    return refused(key, why, f"{at.path}.pipeline.N.{name}: …")


def _preprocessor(model: Mapping[str, Any], path: str) -> str:
    """Where the detector's preprocessor is: a semi-supervised model has it inside."""
    own = model.get("data_preprocessor") or {}
    if "data_preprocessor" in own:
        return f"{path}.data_preprocessor.data_preprocessor"
    return f"{path}.data_preprocessor"
