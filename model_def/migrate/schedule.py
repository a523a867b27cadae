"""mmdet 2.x's `lr_config`, `runner` and `total_epochs`: the schedule and the length of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from model_def.migrate.meaning import Around, Meaning, left_out, moved, refused

SECTIONS = ("lr_config", "runner", "total_epochs")
WARMUPS = ("LinearLR", "ConstantLR")
# What a key of `lr_config` is in the config's own schedulers, by their type.
ARGUMENTS = {
    "step": {"MultiStepLR": "milestones"},
    "gamma": {"MultiStepLR": "gamma", "StepLR": "gamma", "ExponentialLR": "gamma"},
    "power": {"PolyLR": "power"},
    "min_lr": {"CosineAnnealingLR": "eta_min", "PolyLR": "eta_min"},
    "min_lr_ratio": {"CosineAnnealingLR": "eta_min_ratio"},
    "periods": {"CosineRestartLR": "periods"},
    "restart_weights": {"CosineRestartLR": "restart_weights"},
}
WARMUP_ARGUMENTS = {
    "warmup_iters": {"LinearLR": "end", "ConstantLR": "end"},
    "warmup_ratio": {"LinearLR": "start_factor", "ConstantLR": "factor"},
}
GENERAL = ("_delete_", "policy", "by_epoch", "warmup", "warmup_iters", "warmup_ratio", "warmup_by_epoch")
Policy = Callable[[Mapping[str, Any], int], dict[str, Any] | None]


def schedule(old: Mapping[str, Any], around: Around) -> Iterator[Meaning]:
    """The meanings of all keys of `SECTIONS`; they depend on each other."""
    lengths = {key: value for key, value in old.items() if not key.startswith("lr_config")}
    rates = {key.removeprefix("lr_config."): value for key, value in old.items() if key.startswith("lr_config.")}
    unit, before = _unit(around.config), _length(around.config)
    wanted = [value for key, value in lengths.items() if key.rpartition(".")[2] in (unit, "total_epochs")]
    whole = _is_whole(rates)
    for key, value in lengths.items():
        yield _training_length(key, value, unit, around.config, ends=not whole)
    yield from _whole(rates, wanted[-1] if wanted else before, around) if whole else _parts(rates, around)
    if "lr_config" in old:
        yield refused("lr_config", "there is nothing in it", "param_scheduler: null, for a constant learning rate")


def _is_whole(rates: Mapping[str, Any]) -> bool:
    return bool({"policy", "warmup", "_delete_"} & {*rates})


def _unit(config: Mapping[str, Any]) -> str:
    loop = config.get("train_cfg") or {}
    return "max_iters" if "Iter" in str(loop.get("type")) or loop.get("by_epoch") is False else "max_epochs"


def _length(config: Mapping[str, Any]) -> int:
    return int((config.get("train_cfg") or {}).get(_unit(config)) or 0)


def _schedulers(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = config.get("param_scheduler") or []
    return [found] if isinstance(found, dict) else list(found)


def _training_length(old: str, value: Any, unit: str, config: Mapping[str, Any], *, ends: bool) -> Meaning:
    name = "max_epochs" if old == "total_epochs" else old.rpartition(".")[2]
    if name == "type":
        same = ("Iter" in str(value)) == (unit == "max_iters")
        why = "the config has a loop of that kind"
        return left_out(old, why) if same else _other_unit(old, unit)
    if name not in ("max_epochs", "max_iters"):
        return refused(old, "mmengine's Runner has no such option", "train_cfg: {…}")
    if name != unit:
        return _other_unit(old, unit)
    new = {f"train_cfg.{unit}": value}
    for index, scheduler in enumerate(_schedulers(config) if ends else ()):
        for argument in ("end", "T_max"):  # else the learning rate would stay as it is from the old end on
            if _counts(scheduler, unit) and scheduler.get(argument) == _length(config):
                new[f"param_scheduler.{index}.{argument}"] = value
    return Meaning(old=old, new=new)


def _counts(scheduler: Mapping[str, Any], unit: str) -> bool:
    return bool(scheduler.get("by_epoch", True)) == (unit == "max_epochs")


def _other_unit(old: str, unit: str) -> Meaning:
    why = f"this config counts by {unit}"
    if unit == "max_epochs":
        line = "train_cfg: {_delete_: true, type: IterBasedTrainLoop, max_iters: …, val_interval: …}"
    else:
        line = "train_cfg: {_delete_: true, type: EpochBasedTrainLoop, max_epochs: …, val_interval: …}"
    return refused(old, why, f"{line}, and a param_scheduler that counts like it")


def _parts(rates: Mapping[str, Any], around: Around) -> Iterator[Meaning]:
    """Single keys over the config's own schedule."""
    schedulers = _schedulers(around.config)
    for name, value in rates.items():
        old, warmup = f"lr_config.{name}", name in WARMUP_ARGUMENTS
        arguments = {**ARGUMENTS, **WARMUP_ARGUMENTS}.get(name, {})
        places = [
            f"param_scheduler.{index}.{arguments[str(scheduler.get('type'))]}"
            for index, scheduler in enumerate(schedulers)
            if scheduler.get("type") in arguments and _is_warmup(scheduler) == warmup
        ]
        if not places or (name == "step" and isinstance(value, int)):
            kinds = ", ".join(str(scheduler.get("type")) for scheduler in schedulers) or "no scheduler"
            yield refused(old, f"the config's schedule ({kinds}) has no such thing", "param_scheduler: […]")
        else:
            yield moved(old, *places, value=value)


def _is_warmup(scheduler: Mapping[str, Any]) -> bool:
    return scheduler.get("type") in WARMUPS and not scheduler.get("begin")


def _whole(rates: Mapping[str, Any], length: int, around: Around) -> Iterator[Meaning]:
    """A policy or a warm-up: the whole list is written anew, with the config's own where nothing else is said."""
    own = [] if rates.get("_delete_") else _schedulers(around.config)
    warmup = _warmup(rates) if "warmup" in rates else [entry for entry in own if _is_warmup(entry)]
    main = _main(rates, length, around) if "policy" in rates else [entry for entry in own if not _is_warmup(entry)]
    for name, value in rates.items():
        old = f"lr_config.{name}"
        if warmup is None and name.startswith("warmup"):
            yield refused(old, f"there is no such warm-up: {rates['warmup']}", "lr_config.warmup: linear, or constant")
        elif main is None and not name.startswith("warmup"):
            line = "param_scheduler: [{type: CosineAnnealingLR, …}]"
            yield refused(old, f"policy {rates.get('policy')} has no counterpart with these options", line)
        elif name == "_delete_" and not value:
            yield left_out(old, "nothing is forgotten")
        elif warmup is not None and main is not None:
            yield moved(old, "param_scheduler", value=[*warmup, *main] or None)


def _warmup(rates: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    kind, ratio = rates["warmup"], rates.get("warmup_ratio", 0.1)
    if kind is None:
        return []
    end, by_epoch = rates.get("warmup_iters", 0), bool(rates.get("warmup_by_epoch"))
    span = {"by_epoch": by_epoch, "begin": 0, "end": end, **({"convert_to_iter_based": True} if by_epoch else {})}
    known = {
        "linear": {"type": "LinearLR", "start_factor": ratio, **span},
        "constant": {"type": "ConstantLR", "factor": ratio, **span},
    }
    return [known[kind]] if kind in known else None


def _main(rates: Mapping[str, Any], length: int, around: Around) -> list[dict[str, Any]] | None:
    policy = str(rates["policy"])
    if policy.lower() == "fixed":
        return []
    build, names = POLICIES.get(policy[:1].upper() + policy[1:], (None, ()))
    epochs = _unit(around.config) == "max_epochs"
    by_epoch = rates.get("by_epoch", epochs)  # mmcv's runner by iterations counted them by default
    own = {name: value for name, value in rates.items() if name not in GENERAL}
    if build is None or set(own) - set(names) or by_epoch != epochs:
        return None
    scheduler = build(own, length)
    span = {"by_epoch": by_epoch, "begin": 0, "end": length}
    return [{**span, **scheduler}] if scheduler else None


def _step(rates: Mapping[str, Any], length: int) -> dict[str, Any] | None:
    step, gamma = rates.get("step"), rates.get("gamma", 0.1)
    if step is None:
        return None
    if isinstance(step, int):
        return {"type": "StepLR", "step_size": step, "gamma": gamma}
    return {"type": "MultiStepLR", "milestones": step, "gamma": gamma}


def _cosine(rates: Mapping[str, Any], length: int) -> dict[str, Any]:
    return {"type": "CosineAnnealingLR", "T_max": length, **_least(rates)}


def _flat_cosine(rates: Mapping[str, Any], length: int) -> dict[str, Any]:
    begin = int(length * rates.get("start_percent", 0.75))
    return {**_cosine(rates, length - begin), "begin": begin}


def _poly(rates: Mapping[str, Any], length: int) -> dict[str, Any]:
    return {"type": "PolyLR", "power": rates.get("power", 1.0), "eta_min": rates.get("min_lr", 0.0)}


def _exp(rates: Mapping[str, Any], length: int) -> dict[str, Any] | None:
    return {"type": "ExponentialLR", "gamma": rates["gamma"]} if "gamma" in rates else None


def _restart(rates: Mapping[str, Any], length: int) -> dict[str, Any] | None:
    periods = rates.get("periods")
    weights = rates.get("restart_weights", [1])
    arguments = {"periods": periods, "restart_weights": weights, **_least(rates)}
    return {"type": "CosineRestartLR", **arguments} if periods else None


def _least(rates: Mapping[str, Any]) -> dict[str, Any]:
    if "min_lr_ratio" in rates:
        return {"eta_min_ratio": rates["min_lr_ratio"]}
    return {"eta_min": rates.get("min_lr", 0.0)}


_LEAST = ("min_lr", "min_lr_ratio")
# How each policy is written today, and the keys that it has.
POLICIES: dict[str, tuple[Policy, tuple[str, ...]]] = {
    "Step": (_step, ("step", "gamma")),
    "CosineAnnealing": (_cosine, _LEAST),
    "Cosine": (_cosine, _LEAST),
    "FlatCosineAnnealing": (_flat_cosine, ("start_percent", *_LEAST)),
    "Poly": (_poly, ("power", "min_lr")),
    "Exp": (_exp, ("gamma",)),
    "CosineRestart": (_restart, ("periods", "restart_weights", *_LEAST)),
}
