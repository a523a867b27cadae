"""An experiment YAML (Determined's own fields and our `hyperparameters`), checked and read."""

from __future__ import annotations

import copy
import dataclasses
import os.path
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from model_def import search
from model_def.assignments import OVERRIDES, assign, still_written
from model_def.errors import ExperimentError, Problem
from model_def.experiment_checks import client_problems, deeper_problems, get, old_forms, refused_note
from model_def.experiment_fields import EXPERIMENT, FIELDS, HYPERPARAMETERS, SEARCHER, section
from model_def.experiment_types import Dataset, Experiment, FileClientArgs, Hyperparameters, Length, Searcher, Split
from model_def.fields import problems as field_problems
from model_def.fields import right
from model_def.samples import sampled
from model_def.storage.options import OPTIONS, STORES, Options
from model_def.variables import expand
from model_def.yaml_source import Source, read_yaml

SPLITS = ("train", "val", "test")


class Unfinished(ExperimentError):
    """An experiment with mistakes.

    Attributes:
        rest: the experiment without them, to look for what else is wrong; None if it doesn't say which config it is.
    """

    def __init__(self, *, problems: Iterable[Problem] = (), rest: Experiment | None = None, **one: Any) -> None:
        super().__init__(problems=problems, **one)
        self.rest = rest


def load_experiment(path: Path, assignments: Sequence[str] = (), *, sample: int | None = None) -> Experiment:
    """The experiment that a YAML file and `key=value` assignments describe.

    Args:
        path, assignments: those.
        sample: of searched hyperparameters take this draw (see `samples`); None: each is a mistake.

    Raises:
        Unfinished: with everything that is wrong, each with its line and column.
    """
    config, source = read_yaml(path)
    written = copy.deepcopy(get(config, *OVERRIDES))
    assigned, mistakes = assign(config, assignments)
    source = dataclasses.replace(source, assigned=assigned, lines=still_written(source.lines, assigned, config))
    config, variables, unset = expand(config, source)
    source = dataclasses.replace(source, variables=variables)
    given = config.get("hyperparameters") if sample is None else sampled(config.get("hyperparameters"), sample)
    hparams, searches = search.resolve(given, source, ("hyperparameters",))
    ill = [*search.wrong(config.get("hyperparameters"), source, ("hyperparameters",))]
    searches = [*ill, *(problem for problem in searches if problem not in ill)]
    resolved = {**config, "hyperparameters": hparams}
    if "hyperparameters" not in config:
        del resolved["hyperparameters"]
    deeper = list(deeper_problems(resolved, source))
    fields = [one for one in field_problems(resolved, EXPERIMENT, source) if one.where not in _wheres(deeper)]
    told = _wheres([*unset, *searches])
    found = [*mistakes, *unset, *searches, *(problem for problem in (*fields, *deeper) if problem.where not in told)]
    if found:
        raise Unfinished(problems=found, rest=_rest(resolved, source))
    notes = (refused_note(place, source) for place in search.refused(config["hyperparameters"], ("hyperparameters",)))
    experiment = _experiment(resolved, config, source, default_name=path.stem, notes=notes)
    changed = isinstance(written, dict) and any(place[: len(OVERRIDES)] == OVERRIDES for place in assigned)
    return dataclasses.replace(experiment, file_overrides=search.without(written)) if changed else experiment


def _wheres(problems: Iterable[Problem]) -> set[str]:
    return {problem.where for problem in problems}


def experiment_from(config: Mapping[str, Any], hparams: Mapping[str, Any]) -> Experiment:
    """The experiment of a trial on a cluster, whose master has checked `config` and sampled `hparams`.

    Raises:
        ExperimentError: with everything that is wrong in our hyperparameters.
    """
    source = Source(name="experiment configuration")
    config, variables, unset = expand({**config, "hyperparameters": hparams}, source)
    source = dataclasses.replace(source, variables=variables)
    sampled, searches = search.resolve(config["hyperparameters"], source, ("hyperparameters",))
    size = sampled.get("global_batch_size")
    if isinstance(size, float) and size.is_integer():  # a `log` search gives floats
        sampled["global_batch_size"] = int(size)
    resolved = {**copy.deepcopy(config), "hyperparameters": sampled}
    ours = field_problems(sampled, section(**HYPERPARAMETERS), source, ("hyperparameters",))
    found = [*unset, *searches, *ours, *deeper_problems(resolved, source)]
    if found:
        raise ExperimentError.of(found)
    return _experiment(resolved, resolved, source, default_name="experiment")


def _rest(config: dict[str, Any], source: Source) -> Experiment | None:
    hyperparameters = right(config.get("hyperparameters"), HYPERPARAMETERS)
    overrides = search.without(hyperparameters.pop("override_mmdet_config", {}))
    hyperparameters = {name: value for name, value in hyperparameters.items() if not search.waits(value)}
    hyperparameters["override_mmdet_config"] = overrides
    if "config_file" not in hyperparameters:
        return None
    kept = right(config, FIELDS)
    kind = HYPERPARAMETERS["file_client_args"]
    for part, holder in (("hyperparameters", hyperparameters), ("data", kept.get("data") or {})):
        client = get(config, part, "file_client_args")
        if [*field_problems(client, kind, source, ()), *client_problems(client, source, ())]:
            holder.pop("file_client_args", None)
            hyperparameters.pop("dataset", None)  # who knows where its files are
    slots = get(kept, "resources", "slots_per_trial") or 1
    kept["hyperparameters"] = {"global_batch_size": slots, **hyperparameters}
    kept["searcher"] = {"name": "single", "metric": "", **right(config.get("searcher"), SEARCHER.fields or {})}
    kept["searcher"].pop("max_length", None)  # it may have no unit
    return _experiment(kept, kept, source, default_name="experiment")


def _experiment(
    resolved: dict[str, Any], raw: dict[str, Any], source: Source, *, default_name: str, notes: Iterable[str] = ()
) -> Experiment:
    return Experiment(
        name=resolved.get("name") or default_name,
        raw=raw,
        source=source,
        hyperparameters=_hyperparameters(resolved),
        searcher=_searcher(resolved["searcher"]),
        min_validation_period=_length(resolved.get("min_validation_period")),
        min_checkpoint_period=_length(resolved.get("min_checkpoint_period")),
        **_given(resolved, "scheduling_unit", "perform_initial_validation", "checkpoint_policy"),
        **_given(resolved.get("resources"), "slots_per_trial"),
        **_given(resolved.get("checkpoint_storage"), "save_experiment_best", "save_trial_best", "save_trial_latest"),
        profiling=bool(get(resolved, "profiling", "enabled")),
        seed=get(resolved, "reproducibility", "experiment_seed") or 0,
        directory=Path.cwd(),
        notes=(*old_forms(resolved), *notes),
    )


def _hyperparameters(config: dict[str, Any]) -> Hyperparameters:
    values = _given(config["hyperparameters"], *HYPERPARAMETERS)
    merge = values.pop("merge_config", ())
    client = values.pop("file_client_args", None) or get(config, "data", "file_client_args")
    dataset = values.pop("dataset", None)
    values |= {name: tuple(given) for name, given in values.items() if isinstance(given, list)}
    if isinstance(pretrained := values.get("use_pretrained"), dict):
        values |= {"use_pretrained": pretrained["checkpoint"], **_given(pretrained, "min_loaded")}
    return Hyperparameters(
        **values,
        merge_config=(merge,) if isinstance(merge, str) else tuple(merge),
        file_client_args=_client(client) if client else None,
        dataset=_dataset(dataset) if dataset else None,
    )


def _client(value: dict[str, Any]) -> FileClientArgs:
    backend, bucket = value["backend"], value.get("bucket_name")
    scheme, prefix = STORES.get(backend, ""), (value.get("prefix") or "").strip("/")
    base = "/".join((f"{scheme}:/", bucket, *([prefix] if prefix else []))) if bucket else ""
    args = {"backend": "fake"} if backend == "fake" else {}
    if scheme:
        args = Options.of(_given(value, *OPTIONS)).backend_args(backend)
    return FileClientArgs(backend=backend, base=base, backend_args=args)


def _dataset(value: dict[str, Any]) -> Dataset:
    splits: dict[str, Any] = {name: Split(**_given(value[name], *value[name])) for name in SPLITS if value.get(name)}
    classes = value.get("classes")
    root = os.path.expanduser(value.get("root") or "")
    return Dataset(**_given(value, "type"), root=root, **splits, classes=tuple(classes) if classes else None)


def _searcher(value: dict[str, Any]) -> Searcher:
    given = _given(value, "name", "metric", "smaller_is_better")
    return Searcher(**given, max_length=_length(value.get("max_length")), raw=value)


def _length(value: dict[str, int] | None) -> Length | None:
    """None for 0 as well: a master writes `{batches: 0}` where the file says nothing."""
    given = value and next(iter(value.values()))
    return Length(unit=next(iter(value)), value=given) if value and given else None


def _given(mapping: dict[str, Any] | None, *names: str) -> dict[str, Any]:
    """The named entries that have a value: `null` in YAML is the same as absent."""
    return {name: mapping[name] for name in names if mapping.get(name) is not None} if mapping else {}
