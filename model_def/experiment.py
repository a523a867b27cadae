"""An experiment YAML (Determined's own fields and our `hyperparameters`) as typed, frozen dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import os.path
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from model_def import search
from model_def.assignments import assign
from model_def.errors import ExperimentError
from model_def.experiment_checks import deeper_problems, get
from model_def.experiment_fields import EXPERIMENT, HYPERPARAMETERS, section
from model_def.fields import problems as field_problems
from model_def.yaml_source import Source, read_yaml

ENTRYPOINT = "python3 -m determined.launch.torch_distributed python3 -m model_def.train"
SPLITS = ("train", "val", "test")
MIN_LOADED = 0.5  # a detector's backbone alone is about half of its parameters


@dataclasses.dataclass(frozen=True, kw_only=True)
class Length:
    """A length of training. `unit` is `batches`, `records` or `epochs`."""

    unit: str
    value: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """One part of a data set: files and folders relative to the data set's `root`."""

    ann_file: str
    img_prefix: str = ""
    seg_prefix: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """The short form of a data set; `test` is `val` and `classes` are the annotation file's, unless given."""

    type: str = "CocoDataset"
    root: str = ""
    train: Split
    val: Split
    test: Split | None = None
    classes: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """Our part of the YAML; see `experiment_fields.HYPERPARAMETERS` for what each may be."""

    config_file: str
    merge_config: tuple[str, ...] = ()
    override_mmdet_config: dict[str, Any] = dataclasses.field(default_factory=dict)
    global_batch_size: int
    use_pretrained: bool | str = False
    min_loaded: float = MIN_LOADED
    dataset: Dataset | None = None
    file_client_args: dict[str, Any] | None = None
    evaluation: str = "fast"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Searcher:
    """What decides which checkpoint is best. `raw` is the whole section."""

    name: str
    metric: str
    smaller_is_better: bool = True
    max_length: Length | None = None
    raw: dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """A checked experiment.

    Attributes:
        raw: the YAML with the command line's assignments applied.
        source: where each value was written; see `where`.
        directory: the context, which is the current directory: config files and data are found from here.
        notes: old forms that were accepted, with what to write today.
        (the others are Determined's fields of the same names, with its defaults)
    """

    name: str
    raw: dict[str, Any]
    source: Source
    hyperparameters: Hyperparameters
    searcher: Searcher
    scheduling_unit: int = 100
    min_validation_period: Length | None = None
    min_checkpoint_period: Length | None = None
    perform_initial_validation: bool = False
    checkpoint_policy: str = "best"
    seed: int = 0
    slots_per_trial: int = 1
    save_trial_best: int = 1
    save_trial_latest: int = 1
    directory: Path
    notes: tuple[str, ...] = ()

    def where(self, *path: str | int) -> str:
        """The place of a value for a message: `quickstart.yaml:12:3 (hyperparameters.config_file)`."""
        return self.source.where(*path)


def load_experiment(path: Path, assignments: Sequence[str] = ()) -> Experiment:
    """The experiment that a YAML file and `key=value` assignments describe.

    Raises:
        ExperimentError: with everything that is wrong, each with its line and column.
    """
    config, source = read_yaml(path)
    assigned, mistakes = assign(config, assignments)
    source = dataclasses.replace(source, assigned=assigned)
    hparams, searches = search.resolve(config.get("hyperparameters"), source, ("hyperparameters",))
    resolved = {**config, "hyperparameters": hparams}
    if "hyperparameters" not in config:
        del resolved["hyperparameters"]
    wheres = {problem.where for problem in searches}
    every = [*field_problems(resolved, EXPERIMENT, source), *deeper_problems(resolved, source)]
    found = [problem for problem in every if problem.where not in wheres]
    if mistakes or searches or found:
        raise ExperimentError.of([*mistakes, *searches, *found])
    notes = (_refused_note(place, source) for place in search.refused(config["hyperparameters"], ("hyperparameters",)))
    return _experiment(resolved, config, source, default_name=path.stem, notes=notes)


def experiment_from(config: Mapping[str, Any], hparams: Mapping[str, Any]) -> Experiment:
    """The experiment of a trial on a cluster, whose master has checked `config` and sampled `hparams`.

    Raises:
        ExperimentError: with everything that is wrong in our hyperparameters.
    """
    source = Source(name="experiment configuration")
    sampled, searches = search.resolve(copy.deepcopy(dict(hparams)), source, ("hyperparameters",))
    size = sampled.get("global_batch_size")
    if isinstance(size, float) and size.is_integer():  # a `log` search gives floats
        sampled["global_batch_size"] = int(size)
    resolved = {**copy.deepcopy(dict(config)), "hyperparameters": sampled}
    ours = field_problems(sampled, section(**HYPERPARAMETERS), source, ("hyperparameters",))
    found = [*ours, *deeper_problems(resolved, source)]
    if searches or found:
        raise ExperimentError.of([*searches, *found])
    return _experiment(resolved, resolved, source, default_name="experiment")


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
        **_given(resolved.get("checkpoint_storage"), "save_trial_best", "save_trial_latest"),
        seed=get(resolved, "reproducibility", "experiment_seed") or 0,
        directory=Path.cwd(),
        notes=(*_old_forms(resolved), *notes),
    )


def _hyperparameters(config: dict[str, Any]) -> Hyperparameters:
    values = _given(config["hyperparameters"], *HYPERPARAMETERS)
    merge = values.pop("merge_config", ())
    client = values.pop("file_client_args", None) or get(config, "data", "file_client_args")
    dataset = values.pop("dataset", None)
    if isinstance(pretrained := values.get("use_pretrained"), dict):
        values |= {"use_pretrained": pretrained["checkpoint"], **_given(pretrained, "min_loaded")}
    return Hyperparameters(
        **values,
        merge_config=(merge,) if isinstance(merge, str) else tuple(merge),
        file_client_args=client,
        dataset=_dataset(dataset) if dataset else None,
    )


def _dataset(value: dict[str, Any]) -> Dataset:
    splits: dict[str, Any] = {name: Split(**_given(value[name], *value[name])) for name in SPLITS if value.get(name)}
    classes = value.get("classes")
    root = os.path.expanduser(value.get("root") or "")
    return Dataset(**_given(value, "type"), root=root, **splits, classes=tuple(classes) if classes else None)


def _searcher(value: dict[str, Any]) -> Searcher:
    given = _given(value, "name", "metric", "smaller_is_better")
    return Searcher(**given, max_length=_length(value.get("max_length")), raw=value)


def _length(value: dict[str, int] | None) -> Length | None:
    return Length(unit=next(iter(value)), value=next(iter(value.values()))) if value else None


def _given(mapping: dict[str, Any] | None, *names: str) -> dict[str, Any]:
    """The named entries that have a value: `null` in YAML is the same as absent."""
    return {name: mapping[name] for name in names if mapping.get(name) is not None} if mapping else {}


def _refused_note(place: tuple[str, ...], source: Source) -> str:
    return (
        f"{source.where(*place)}: a Determined master refuses a `type` of your own here; "
        f"write `{place[-1]}: {{type: const, val: {{…}}}}`, or dotted keys such as `{place[-1]}.type: …`"
    )


def _old_forms(config: dict[str, Any]) -> Iterator[str]:
    if config.get("entrypoint") == "model_def:MMDetTrial":
        yield f"entrypoint: model_def:MMDetTrial is an old form; write `entrypoint: {ENTRYPOINT}`"
    if get(config, "data", "file_client_args"):
        yield "data.file_client_args is an old form; write `hyperparameters.file_client_args`"
