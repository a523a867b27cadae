"""What an experiment YAML says, as typed, frozen dataclasses."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from model_def.yaml_source import Source

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
class FileClientArgs:
    """Where the data is read from.

    Attributes:
        backend: `s3`, `gcs`, `fake` (made images) or `disk`.
        base: `s3://bucket/prefix`, where relative paths begin; empty without a bucket.
        backend_args: what mmengine's backend is made from.
    """

    backend: str
    base: str = ""
    backend_args: dict[str, Any] = dataclasses.field(default_factory=dict)


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
    file_client_args: FileClientArgs | None = None
    max_broken_images: int = 0
    schedule: str | None = None
    auto_scale_lr: bool | None = None
    evaluation: str = "fast"
    pictures: int | tuple[str, ...] = 4
    profile_batches: tuple[int, int] | None = None


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
        file_overrides: `override_mmdet_config` as the file has it, where the command line has changed it.
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
    profiling: bool = False
    checkpoint_policy: str = "best"
    seed: int = 0
    slots_per_trial: int = 1
    save_experiment_best: int = 0
    save_trial_best: int = 1
    save_trial_latest: int = 1
    directory: Path
    notes: tuple[str, ...] = ()
    file_overrides: dict[str, Any] | None = None

    def where(self, *path: str | int) -> str:
        """The place of a value for a message: `quickstart.yaml:12:3 (hyperparameters.config_file)`."""
        return self.source.where(*path)
