"""What hooks remember. mmengine saves none of it: a resumed run's EarlyStoppingHook would begin to wait anew."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner


def hook_states(runner: Runner) -> dict[str, Any]:
    """The memory of the EarlyStoppingHooks, and the states of hooks that have a `state_dict` of their own."""
    return {name: _state(hook) for name, hook in _named(runner).items()}


def restore_hooks(runner: Runner, states: Mapping[str, Any]) -> None:
    """Put it back into the hooks that are still there."""
    for name, hook in _named(runner).items():
        if name in states and isinstance(hook, EarlyStoppingHook):
            vars(hook).update(states[name])
        elif name in states:
            hook.load_state_dict(states[name])


def _state(hook: Any) -> dict[str, Any]:
    if isinstance(hook, EarlyStoppingHook):
        return {"wait_count": hook.wait_count, "best_score": float(hook.best_score)}
    state: dict[str, Any] = hook.state_dict()
    return state


def _named(runner: Runner) -> dict[str, Any]:
    """The hooks that remember something, by class and number."""
    found: dict[str, Any] = {}
    count: collections.Counter[str] = collections.Counter()
    for hook in runner.hooks:
        if isinstance(hook, EarlyStoppingHook) or hasattr(hook, "load_state_dict"):
            name = type(hook).__name__
            found[f"{name}.{count[name]}"] = hook
            count[name] += 1
    return found
