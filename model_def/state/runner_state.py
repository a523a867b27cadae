"""Captures and restores a parked Runner: weights, optimizer, schedulers, EMA, MessageHub, counters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from mmengine.logging import MessageHub, print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from model_def.errors import WeightsError
from model_def.optim import optim_wrappers
from model_def.state.plain import plain, revive


def unwrapped(model: Any) -> nn.Module:
    """The model without its distributed wrapper."""
    bare: nn.Module = model.module if is_model_wrapper(model) else model
    return bare


def capture(runner: Runner, *, config_text: str) -> dict[str, Any]:
    """The runner's state in mmengine's own checkpoint layout, what hooks add included, as plain data.

    Args:
        config_text: the config as Python, from which stock mmdet can build the model too.

    Returns:
        `meta`, `state_dict` (the weights that validation uses: the EMA's where there is an EMAHook), `message_hub`,
        `optimizer`, `param_schedulers` and what hooks add in `before_save_checkpoint`.
    """
    checkpoint = {
        "meta": {**_meta(runner), "cfg": config_text},
        "state_dict": {name: tensor.cpu() for name, tensor in unwrapped(runner.model).state_dict().items()},
        "message_hub": _message_hub(runner.message_hub),
        "optimizer": runner.optim_wrapper.state_dict(),
        "param_schedulers": _each_scheduler(runner.param_schedulers, lambda scheduler: scheduler.state_dict()),
    }
    runner.call_hook("before_save_checkpoint", checkpoint=checkpoint)
    return {name: plain(value, where=name) for name, value in checkpoint.items()}


def restore(runner: Runner, checkpoint: Mapping[str, Any]) -> None:
    """Put what `capture` returned back into a parked runner, in the order of mmengine's own resume.

    Raises:
        WeightsError: the checkpoint is one of another model, optimizer or schedule.
    """
    checkpoint = {name: revive(value) for name, value in checkpoint.items()}
    _check_same_model(runner.model, checkpoint["state_dict"])
    _check_same_training(runner, checkpoint)
    runner._resume = True  # by this flag the EMAHook tells a resume from a warm start
    runner.call_hook("after_load_checkpoint", checkpoint=checkpoint)
    unwrapped(runner.model).load_state_dict(checkpoint["state_dict"])
    loop = runner.train_loop
    loop._epoch, loop._iter = checkpoint["meta"]["epoch"], checkpoint["meta"]["iter"]
    runner.message_hub.load_state_dict(checkpoint["message_hub"])
    runner.optim_wrapper.load_state_dict(checkpoint["optimizer"])
    states = iter(_flat(checkpoint["param_schedulers"]))
    _each_scheduler(runner.param_schedulers, lambda scheduler: scheduler.load_state_dict(next(states)))
    for wrapper in optim_wrappers(runner.optim_wrapper).values():
        # Its `initialize_count_status` has been called; a second time it would warn that gradients are lost.
        wrapper._inner_count = loop.iter


def _meta(runner: Runner) -> dict[str, Any]:
    return {
        "epoch": runner.epoch,
        "iter": runner.iter,
        "seed": runner.seed,
        "experiment_name": runner.experiment_name,
        "dataset_meta": getattr(runner.train_dataloader.dataset, "metainfo", None),
    }


def _message_hub(hub: MessageHub) -> dict[str, Any]:
    """The hub's state without the objects that some model or hook left there and that no file can hold."""
    state: dict[str, Any] = hub.state_dict()
    for key, value in list(state["runtime_info"].items()):
        try:
            plain(value, where=key)
        except TypeError as error:
            print_log(f"left out of the MessageHub's state: {error}", logger="current", level=logging.WARNING)
            del state["runtime_info"][key]
    return state


def _each_scheduler(schedulers: Any, act: Callable[[Any], Any]) -> Any:
    """`act` on every parameter scheduler of a list or, with several optimizers, of a dict of lists; same layout."""
    if isinstance(schedulers, dict):
        return {name: [act(scheduler) for scheduler in group] for name, group in schedulers.items()}
    return [act(scheduler) for scheduler in schedulers or ()]


def _flat(states: Any) -> list[Any]:
    return [state for group in states.values() for state in group] if isinstance(states, dict) else list(states or ())


def _check_same_model(model: nn.Module, state_dict: Mapping[str, Any]) -> None:
    own = unwrapped(model).state_dict()
    wrong = [name for name in own.keys() | state_dict.keys() if _shape(own, name) != _shape(state_dict, name)]
    if wrong:
        example = min(wrong)
        raise WeightsError(
            what=f"the checkpoint is one of another model: {len(wrong)} of {len(own)} tensors differ",
            value=f"{example}: {_shape(state_dict, example)} in the checkpoint, {_shape(own, example)} in the model",
            where="--resume",
            allowed="a checkpoint that this experiment wrote",
            next="resume with the experiment.yaml beside the checkpoints, or warm-start: use_pretrained=PATH/model.pth",
        )


def _check_same_training(runner: Runner, checkpoint: Mapping[str, Any]) -> None:
    """torch and mmengine would take another optimizer's or schedule's state, and fail or be wrong later."""
    ours, saved = _groups(runner.optim_wrapper.state_dict()), _groups(checkpoint["optimizer"])
    sizes = [[size for size, _ in groups] for groups in (saved, ours)]
    # A newer torch may know more settings; another optimizer lacks some and has others.
    settings = [old ^ own for (_, old), (_, own) in zip(saved, ours, strict=False) if old - own and own - old]
    schedules = [
        [sorted(state) for state in _flat(checkpoint["param_schedulers"])],
        [sorted(each.state_dict()) for each in _flat(runner.param_schedulers)],
    ]
    if sizes[0] != sizes[1] or settings:
        found = f"only one has {', '.join(sorted(settings[0]))}" if settings else f"groups of {sizes[0]} and {sizes[1]}"
        raise _other_training("optimizer", found, "optim_wrapper")
    if schedules[0] != schedules[1]:
        found = f"{len(schedules[0])} schedulers in the checkpoint, {len(schedules[1])} here"
        raise _other_training("schedule", found, "param_scheduler")


def _other_training(part: str, found: str, where: str) -> WeightsError:
    return WeightsError(
        what=f"the checkpoint was trained with another {part}",
        value=found,
        where=where,
        allowed=f"the {part} that the checkpoint was trained with",
        next="resume with the experiment.yaml beside the checkpoints, or warm-start: use_pretrained=PATH/model.pth",
    )


def _groups(state: Mapping[str, Any]) -> list[tuple[int, set[str]]]:
    """The number of parameters and the settings' names of each group, through several optimizers' states."""
    if "param_groups" in state:
        return [(len(group["params"]), {*group}) for group in state["param_groups"]]
    return [group for part in state.values() if isinstance(part, Mapping) for group in _groups(part)]


def _shape(state_dict: Mapping[str, Any], name: str) -> tuple[int, ...] | None:
    return tuple(state_dict[name].shape) if name in state_dict else None
