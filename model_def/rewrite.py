"""`migrate`: an experiment YAML of the old adapter as a new one, with comments that say what was changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model_def.assignments import OVERRIDES
from model_def.compose.find import find_config, renaming_note
from model_def.compose.load import load_config
from model_def.compose.tree import get, merged
from model_def.container_image import OWN_IMAGE
from model_def.errors import ExperimentError, Problem
from model_def.experiment_checks import ENTRYPOINT
from model_def.experiment_fields import HYPERPARAMETERS, is_searched
from model_def.fields import problems as field_problems
from model_def.migrate import form
from model_def.migrate.length import by_epoch, training_images, whole_epochs
from model_def.migrate.meaning import Around, Meaning
from model_def.migrate.overrides import leaves, problem, translate
from model_def.migrate.text import Text, comment, dump
from model_def.yaml_source import Source, read_yaml
from model_def.zoo import zoo

CONFIG = ("hyperparameters", "config_file")
LENGTH = ("searcher", "max_length")
TRAINING = ("train_cfg.max_epochs", "train_cfg.max_iters")
PERIOD = ("min_validation_period",)
CLIENT = ("data", "file_client_args")
GONE = ("save_cfg", "save_dir")


def rewrite(file: Path) -> tuple[str, list[Problem]]:
    """The new text, and what couldn't be translated: those lines stand in it as comments.

    Raises:
        ExperimentError: the file can't be read, or is no experiment.
        ConfigError: its config can't be found or loaded.
    """
    old, source = read_yaml(file)
    if not isinstance(old.get("hyperparameters"), dict):
        raise _no_experiment(old, source)
    text = Text(file.read_text(encoding="utf-8"))
    _names(text, source.where(*CONFIG))
    config = _config(text.value("hyperparameters") or {}, source.where(*CONFIG))
    problems = list(_overrides(text, config, source))
    problems += _backend(text, source)
    _entrypoint(text)
    _image(text)
    for name in (name for name in GONE if text.has("hyperparameters", name)):
        text.replace(("hyperparameters", name), [comment(f"{name} was left out: config.py is always written")])
    head = comment(f"{file.name} for mmdet 3.x, written by: python -m model_def migrate")
    return f"{head}\n{text.text()}", problems


def _no_experiment(old: Mapping[str, Any], source: Source) -> ExperimentError:
    hydra = "defaults" in old
    return ExperimentError(
        what="a part of a hydra config is no experiment" if hydra else "an experiment has `hyperparameters`",
        value=", ".join(old),
        where=source.name,
        allowed="a whole experiment YAML",
        next="compose it first: python mmdet_experiment.py --cfg job > OLD.yaml" if hydra else "python -m model_def ls",
    )


def _config(hyperparameters: Mapping[str, Any], where: str) -> dict[str, Any]:
    merge = hyperparameters.get("merge_config") or []
    config: dict[str, Any] = {}
    for name in (_first(hyperparameters.get("config_file")), *([merge] if isinstance(merge, str) else merge)):
        path = find_config(str(name), context=Path.cwd(), where=where)
        config = merged(config, load_config(path, context=Path.cwd(), where=where))
    return config


def _first(value: Any) -> Any:
    """The value itself, or the first one that a search would try."""
    return (value.get("vals") or [value.get("val")])[0] if is_searched(value) else value


def _names(text: Text, where: str) -> None:
    name = text.value(*CONFIG)
    if is_searched(name):
        now: Any = {**name, **{key: [_name(one, where) for one in name[key]] for key in ("vals",) if key in name}}
    else:
        now = _name(name, where)
    if now != name:
        text.replace(CONFIG, [comment(f"was {name}"), *dump(CONFIG[-1], now)])


def _name(name: Any, where: str) -> Any:
    path = find_config(str(name), context=Path.cwd(), where=where)
    return path.relative_to(zoo()).as_posix() if renaming_note(str(name), path) else name


def _overrides(text: Text, config: Mapping[str, Any], source: Source) -> Iterator[Problem]:
    """Each key in its place: today's, with a comment; and what the length of training becomes."""
    overrides = text.value(*OVERRIDES) or {}
    found = translate(overrides, _around(text, config))
    meanings = {one.old: one for one in found.meanings}
    written: set[str] = set()  # several old keys may make one new one
    for key, value in overrides.items():
        given = dict(leaves(key, value))
        if any(name in meanings for name in given):
            text.replace((*OVERRIDES, str(key)), list(_lines(given, meanings, written)))
    flat = dict(leaf for item in overrides.items() for leaf in leaves(*item))
    for one in found.refused:
        yield problem(one, flat[one.old], source.where(*OVERRIDES, one.old))
    yield from _lengths(text, config, found.overrides, source)


def _around(text: Text, config: Mapping[str, Any]) -> Around:
    searcher = text.value("searcher") or {}
    return Around(
        config=config,
        old={},
        metric=str(searcher.get("metric", "")),
        smaller_is_better=searcher.get("smaller_is_better", True),
        seed=text.value("reproducibility", "experiment_seed") or 0,
    )


def _lines(given: Mapping[str, Any], meanings: Mapping[str, Meaning], written: set[str]) -> Iterator[str]:
    for old, value in given.items():
        one = meanings.get(old)
        if one is None:
            yield from dump(old, value)
        elif one.instead:
            yield comment(f"NOT TRANSLATED, {one.why}; write: {one.instead}")
            yield from map(comment, dump(old, value))
        elif not one.new:
            yield comment(f"{old} was left out: {one.why}")
        else:
            yield comment(f"was {old}")
            for name, new in one.new.items():
                yield from dump(name, new) if name not in written else ()
            written |= {*one.new}


def _lengths(text: Text, config: Mapping[str, Any], overrides: Mapping[str, Any], source: Source) -> Iterator[Problem]:
    """`searcher.max_length` and `min_validation_period` become overrides of `train_cfg`."""
    length, size = text.value(*LENGTH), text.value("hyperparameters", "global_batch_size")
    images = training_images(config, overrides, Path.cwd()) if by_epoch(config) and isinstance(size, int) else None
    limit = _in_unit(length, images, size, config, "max_epochs", "max_iters")
    interval = _in_unit(text.value(*PERIOD), images, size, config, "val_interval", "val_interval")
    if limit:
        text.replace(LENGTH, list(_limit(text, length, limit)))
    elif length is not None:
        yield _unknown(length, source)
        text.replace(LENGTH, [comment("NOT TRANSLATED: how many epochs is it?"), *map(comment, text.original(*LENGTH))])
    if interval:
        text.replace(PERIOD, [comment("min_validation_period is `train_cfg.val_interval` of the config")])
    new = {name: value for name, value in {**limit, **interval}.items() if name not in overrides}
    lines = [line for name, value in new.items() if get(config, name) != value for line in dump(name, value)]
    _kept(text, config, {**limit, **overrides})
    if lines:
        text.below(OVERRIDES, lines)


def _kept(text: Text, config: Mapping[str, Any], overrides: Mapping[str, Any]) -> None:
    """In mmdet 2.x another length left the learning rate's steps where they were."""
    changed = any(overrides.get(key, get(config, key)) != get(config, key) for key in TRAINING)
    if changed and "param_scheduler" not in overrides and not text.has("hyperparameters", "schedule"):
        told = comment("the steps of the learning rate stay where they were written; `rescale` moves them")
        text.below(("hyperparameters",), [told, *dump("schedule", "keep")])


def _limit(text: Text, length: Mapping[str, int], limit: Mapping[str, int]) -> Iterator[str]:
    """What stands in the place of `max_length`: Determined's search by halving wants it in other words."""
    (unit, number), (name, value) = next(iter(length.items())), next(iter(limit.items()))
    yield comment(f"max_length ({unit}: {number}) is `{name}: {value}` of the config")
    if text.value("searcher", "name") in ("adaptive_asha", "async_halving"):
        yield from dump("time_metric", unit)
        yield from dump("max_time", number)


def _unknown(length: Any, source: Source) -> Problem:
    return Problem(
        what="`searcher.max_length` is no whole number of epochs, or the training images can't be counted",
        value=length,
        where=source.where(*LENGTH),
        allowed="epochs, where the config counts them",
        next="write `override_mmdet_config: {train_cfg.max_epochs: N}`",
    )


def _in_unit(
    length: Any, images: int | None, size: Any, config: Mapping[str, Any], epochs: str, batches: str
) -> dict[str, int]:
    """The key of `train_cfg` and its value; nothing if the length can't be told in the config's unit."""
    unit, number = next(iter(length.items())) if isinstance(length, dict) and len(length) == 1 else ("", 0)
    if not by_epoch(config):
        return {f"train_cfg.{batches}": number} if unit == "batches" and number else {}
    count = number if unit == "epochs" else whole_epochs(number, images, size) if unit == "batches" else None
    return {f"train_cfg.{epochs}": count} if count else {}


def _backend(text: Text, source: Source) -> Iterator[Problem]:
    """Hyperparameters have it now; the disk needs none."""
    client = text.value(*CLIENT)
    if not client:
        return
    place = CLIENT if len(text.children("data")) > 1 else ("data",)
    if client == {"backend": "disk"}:
        text.replace(place, [comment("data.file_client_args was left out: the disk is the default")])
    elif wrong := next(field_problems(client, HYPERPARAMETERS["file_client_args"], source, CLIENT), None):
        said = comment(f"NOT TRANSLATED; allowed: {wrong.allowed}")
        text.replace(place, [said, *map(comment, text.original(*place))])
        yield wrong
    else:
        text.replace(place, [comment("data.file_client_args is hyperparameters.file_client_args now")])
        text.below(("hyperparameters",), dump("file_client_args", client))


def _entrypoint(text: Text) -> None:
    if form.is_old_entrypoint(text.value("entrypoint")):
        was = comment(f"was {text.value('entrypoint')}")
        text.replace(("entrypoint",), [was, *dump("entrypoint", ENTRYPOINT)])


def _image(text: Text) -> None:
    images = form.old_images(text.value("environment"))
    if images:
        place = ("environment", "image") if len(text.children("environment")) > 1 else ("environment",)
        text.replace(place, [comment(f"{images[0]} has mmdet 2.x: {OWN_IMAGE}")])
