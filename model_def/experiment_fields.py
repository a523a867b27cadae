"""The fields of an experiment YAML: Determined 0.38's own (its `expconf/v0` schema) and our hyperparameters."""

from __future__ import annotations

from typing import Any

from model_def.fields import Kind
from model_def.storage.options import OPTIONS, STORES

ANY = Kind(allowed="anything")
STRING = Kind(types=(str,), allowed="a string")
BOOLEAN = Kind(types=(bool,), allowed="true or false")
INTEGER = Kind(types=(int,), allowed="an integer")
COUNT = Kind(types=(int,), least=0, allowed="an integer of 0 or more")
POSITIVE = Kind(types=(int,), least=1, allowed="an integer of 1 or more")
NUMBER = Kind(types=(int, float), allowed="a number")
MAPPING = Kind(types=(dict,), allowed="a mapping")
STRINGS = Kind(types=(list,), items=STRING, allowed="a list of strings")
MAPPINGS = Kind(types=(list,), items=MAPPING, allowed="a list of mappings")
LIST = Kind(types=(list,), allowed="a list")


def section(**fields: Kind) -> Kind:
    """A mapping that knows its keys."""
    return Kind(types=(dict,), fields=fields, allowed=f"a mapping of {', '.join(sorted(fields))}")


def same(kind: Kind, *names: str) -> dict[str, Kind]:
    """Many fields of one kind."""
    return dict.fromkeys(names, kind)


def one_of(*choices: str, required: bool = False) -> Kind:
    """One of some words."""
    return Kind(choices=choices, required=required, allowed=", ".join(choices))


def needed(kind: Kind, allowed: str = "") -> Kind:
    """The same kind, but it must be given."""
    return Kind(**{**vars(kind), "required": True, "allowed": allowed or kind.allowed})


LENGTH = Kind(
    types=(dict,),
    fields=same(COUNT, "batches", "records", "epochs"),
    allowed="one of {batches: n}, {records: n} or {epochs: n}",
)
LENGTH_OR_INTEGER = Kind(types=(dict, int), fields=LENGTH.fields, allowed=LENGTH.allowed)

SEARCHER = section(
    name=one_of("single", "random", "grid", "adaptive_asha", "async_halving", required=True),
    metric=needed(STRING, "the name of a validation metric, such as bbox_mAP"),
    smaller_is_better=BOOLEAN,
    max_length=LENGTH_OR_INTEGER,
    mode=one_of("aggressive", "standard", "conservative"),
    bracket_rungs=Kind(types=(list,), items=INTEGER, allowed="a list of integers"),
    divisor=NUMBER,
    **same(STRING, "time_metric", "source_checkpoint_uuid", "unit"),
    **same(BOOLEAN, "stop_once", "train_stragglers"),
    **same(POSITIVE, "max_trials", "max_rungs", "num_rungs", "max_time", "budget"),
    max_concurrent_trials=COUNT,
    source_trial_id=INTEGER,
)

CHECKPOINT_STORAGE = section(
    type=one_of("shared_fs", "directory", "s3", "gcs", "azure"),  # without one the cluster's own storage is used
    **same(COUNT, "save_experiment_best", "save_trial_best", "save_trial_latest"),
    **same(STRING, "access_key", "account_url", "bucket", "checkpoint_path", "connection_string", "container"),
    **same(STRING, "container_path", "credential", "endpoint_url", "prefix", "host_path", "propagation", "secret_key"),
    **same(STRING, "storage_path", "tensorboard_path", "user"),
)

RESOURCES = section(
    slots_per_trial=COUNT,
    slots=INTEGER,
    max_slots=INTEGER,
    priority=POSITIVE,
    weight=NUMBER,
    shm_size=Kind(types=(int, str), allowed="a memory size, such as 4G"),
    devices=MAPPINGS,
    **same(STRING, "agent_label", "resource_pool"),
    **same(BOOLEAN, "native_parallel", "is_single_node"),
)

ENVIRONMENT = section(
    image=Kind(
        types=(str, dict), fields=same(STRING, "cpu", "cuda", "rocm", "gpu"), allowed="an image, or cpu/cuda/rocm"
    ),
    environment_variables=Kind(
        types=(list, dict),
        fields=same(STRINGS, "cpu", "cuda", "rocm", "gpu"),
        items=STRING,
        allowed="a list of NAME=value",
    ),
    proxy_ports=MAPPINGS,
    ports=MAPPING,
    force_pull_image=BOOLEAN,
    registry_auth=MAPPING,
    pod_spec=MAPPING,
    **same(STRINGS, "add_capabilities", "drop_capabilities"),
)

ACTIONS = ("cancel_retries", "exclude_node")
LOG_POLICY = section(
    **same(STRING, "name", "pattern"),
    action=Kind(choices=(*ACTIONS, *({"type": name} for name in ACTIONS)), allowed=" or ".join(ACTIONS)),
)

CLASSES = Kind(types=(list,), items=STRING, least=1, allowed="a list of strings, one or more")
SPLIT = section(ann_file=needed(STRING, "an annotation file, relative to `root`"), img_prefix=STRING, seg_prefix=STRING)

PICTURES = "a number of validation images, or a list of their names"
BATCHES = "[first, last], two batches counted from 1"

WEIGHTS = "true, false, a path or an http(s)://, s3:// or gs:// URL"
PRETRAINED = Kind(
    types=(bool, str, dict),
    fields={
        "checkpoint": Kind(types=(bool, str), required=True, allowed=WEIGHTS),
        "min_loaded": Kind(types=(int, float), least=0, allowed="a part of the model's parameters, 0 to 1"),
    },
    allowed=f"{WEIGHTS}; or {{checkpoint: one of these, min_loaded: 0 to 1}}",
)

FILE_CLIENT_ARGS = section(
    backend=one_of(*STORES, "disk", "fake", required=True),
    **same(STRING, "bucket_name", "prefix"),
    **same(ANY, *OPTIONS),  # `storage.options` knows more about these
)

HYPERPARAMETERS: dict[str, Kind] = {
    "config_file": needed(STRING, "a zoo path such as retinanet/retinanet_r50_fpn_1x_coco.py, or a config of your own"),
    "merge_config": Kind(types=(str, list), items=STRING, allowed="a config file, or a list of them"),
    "override_mmdet_config": Kind(types=(dict,), allowed="a mapping of dotted config keys to values"),
    "global_batch_size": needed(POSITIVE, "an integer of 1 or more that the number of slots divides"),
    "use_pretrained": PRETRAINED,
    "file_client_args": FILE_CLIENT_ARGS,
    "max_broken_images": COUNT,
    "dataset": section(type=STRING, root=STRING, classes=CLASSES, train=needed(SPLIT), val=needed(SPLIT), test=SPLIT),
    "schedule": one_of("rescale", "keep"),  # what follows a changed length
    "auto_scale_lr": BOOLEAN,
    "pictures": Kind(types=(int, list), least=0, items=STRING, allowed=PICTURES),
    "profile_batches": Kind(types=(list,), items=POSITIVE, allowed=BATCHES),
    "evaluation": one_of("fast", "stock"),  # who counts COCO's and LVIS' matches: C++ code, or pycocotools and lvis
}

FIELDS: dict[str, Kind] = {
    **same(STRING, "name", "description", "project", "workspace"),
    **same(BOOLEAN, "debug", "perform_initial_validation"),
    **same(MAPPING, "data_layer", "integrations", "security", "tensorboard_storage", "internal"),
    **same(COUNT, "max_restarts", "records_per_epoch", "preemption_timeout"),
    **same(LENGTH, "min_validation_period", "min_checkpoint_period"),
    "bind_mounts": MAPPINGS,
    "checkpoint_policy": one_of("best", "all", "none"),
    "checkpoint_storage": CHECKPOINT_STORAGE,
    "data": MAPPING,
    "entrypoint": Kind(types=(str, list), items=STRING, allowed="a command (a string or a list of strings)"),
    "environment": ENVIRONMENT,
    "hyperparameters": Kind(types=(dict,), fields=HYPERPARAMETERS, required=True, allowed="a mapping with config_file"),
    "labels": STRINGS,
    "log_policies": Kind(types=(list,), items=LOG_POLICY, allowed="a list of name, pattern and action"),
    "retention_policy": section(log_retention_days=INTEGER),
    "optimizations": section(
        **same(COUNT, "aggregation_frequency", "tensor_fusion_cycle_time", "tensor_fusion_threshold"),
        **same(BOOLEAN, "auto_tune_tensor_fusion", "average_aggregated_gradients", "average_training_metrics"),
        gradient_compression=BOOLEAN,
        grad_updates_size_file=STRING,
        mixed_precision=one_of("O0", "O1", "O2", "O3"),
    ),
    "pbs": section(slots_per_node=INTEGER, pbsbatch_args=STRINGS),
    "slurm": section(slots_per_node=INTEGER, gpu_type=STRING, sbatch_args=STRINGS),
    "profiling": section(enabled=BOOLEAN, begin_on_batch=COUNT, end_after_batch=COUNT, sync_timings=BOOLEAN),
    "reproducibility": section(experiment_seed=COUNT),
    "resources": RESOURCES,
    "scheduling_unit": POSITIVE,
    "searcher": needed(SEARCHER),
}

EXPERIMENT = Kind(types=(dict,), fields=FIELDS, allowed="the fields of a Determined experiment")

# `{type: …, …}` with one of these types, anywhere below `hyperparameters`, is a value that a search chooses.
SEARCHED: dict[str, Kind] = {
    "const": section(type=STRING, val=ANY),
    "double": section(type=STRING, minval=needed(NUMBER), maxval=needed(NUMBER), count=POSITIVE),
    "int": section(type=STRING, minval=needed(INTEGER), maxval=needed(INTEGER), count=POSITIVE),
    "log": section(type=STRING, minval=needed(NUMBER), maxval=needed(NUMBER), base=needed(NUMBER), count=POSITIVE),
    "categorical": section(type=STRING, vals=needed(LIST)),
}


def is_searched(value: Any) -> bool:
    """Whether a hyperparameter's value is Determined's `{type: double, …}` and not a value itself."""
    return isinstance(value, dict) and isinstance(value.get("type"), str) and value["type"] in SEARCHED
