"""An experiment's configuration as a master takes it: checked against the platform's schemas, its gaps filled."""

from __future__ import annotations

import importlib.util
import pathlib
import random
from types import ModuleType
from typing import Any

from determined.common import util

from tests.cluster import policies
from tests.cluster.answers import Refused
from tests.cluster.search import METHODS

SCHEMAS = pathlib.Path(__file__).parents[3] / "shared/expconf/validate.py"

# The platform's own values for what a YAML leaves out.
DEFAULTS: dict[str, Any] = {
    "bind_mounts": [],
    "checkpoint_policy": "best",
    "data": {},
    "debug": False,
    "description": None,
    "environment": {"environment_variables": [], "image": "stand-in"},
    "hyperparameters": {},
    "labels": [],
    "log_policies": [],
    "max_restarts": 5,
    "min_checkpoint_period": {"batches": 0},
    "min_validation_period": {"batches": 0},
    "name": "stand-in experiment",
    "optimizations": {
        "aggregation_frequency": 1,
        "average_aggregated_gradients": True,
        "average_training_metrics": True,
        "gradient_compression": False,
        "mixed_precision": "O0",
    },
    "perform_initial_validation": False,
    "profiling": {"enabled": False, "begin_on_batch": 0, "end_after_batch": None, "sync_timings": True},
    "project": "",
    "records_per_epoch": 0,
    "reproducibility": {},
    "resources": {"slots_per_trial": 1, "resource_pool": "default"},
    "scheduling_unit": 100,
    "searcher": {"smaller_is_better": True, "source_trial_id": None, "source_checkpoint_uuid": None},
    "workspace": "",
}
WHOLE = {"type", "batches", "records", "epochs"}
STORAGE = {"save_experiment_best": 0, "save_trial_best": 1, "save_trial_latest": 1}


def complete(text: str, storage: pathlib.Path) -> dict[str, Any]:
    """The whole configuration of an experiment.

    Args:
        text: the YAML that was sent.
        storage: where checkpoints go unless the YAML says so.

    Raises:
        Refused: with all that a master would refuse.
    """
    given = util.safe_load_yaml_with_exceptions(text)  # as the platform: 4e-05 is a number
    if not isinstance(given, dict):
        raise Refused(400, "invalid experiment configuration: it is no mapping")
    found = problems(given)
    if found:
        raise Refused(400, "invalid experiment configuration: " + "; ".join(found))
    config = laid_over(DEFAULTS, given)
    asked = given.get("checkpoint_storage") or {}
    default = {} if "type" in asked else {"type": "shared_fs", "host_path": str(storage)}
    config["checkpoint_storage"] = {**STORAGE, **default, **asked}
    config["reproducibility"].setdefault("experiment_seed", random.SystemRandom().randrange(2**31))
    config["hyperparameters"] = _written_out(config["hyperparameters"])
    config["log_policies"] = policies.with_defaults(config["log_policies"])
    return config


def problems(config: dict[str, Any]) -> list[str]:
    """What a master would refuse. Without the platform's schemas beside the checkout only searchers are looked at."""
    name = (config.get("searcher") or {}).get("name")
    unknown = [f"searcher.name: {name} is no searcher of the stand-in"] if name not in METHODS else []
    if name == "adaptive_asha" and not {"max_time", "time_metric"} <= {*config["searcher"]}:
        unknown.append("the `adaptive_asha` searcher requires `max_time` and `time_metric` to be set")
    module = validator()
    return (list(module.problems(config)) if module else []) or unknown


def validator() -> ModuleType | None:
    """The platform's own check of an experiment, if it is beside this checkout."""
    if not SCHEMAS.exists():
        return None
    spec = importlib.util.spec_from_file_location("validate", SCHEMAS)
    if spec is None or spec.loader is None:
        raise ImportError(SCHEMAS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """One configuration over another one, key by key; what has a `type`, and a length, is taken whole."""
    result = dict(below)
    for key, value in above.items():
        old = below.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and not WHOLE & {*old, *value}:
            result[key] = laid_over(old, value)
        elif value is not None or key not in below:
            result[key] = value
    return {key: dict(value) if isinstance(value, dict) else value for key, value in result.items()}


def _written_out(hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """A trial sees each plain value as a constant, as the platform writes it."""

    def written(value: Any) -> Any:
        if not isinstance(value, dict):
            return {"type": "const", "val": value}
        return value if "type" in value else _written_out(value)

    return {name: written(value) for name, value in hyperparameters.items()}
