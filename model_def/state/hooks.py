"""What hooks remember. mmengine saves none of it: a resumed run's EarlyStoppingHook would begin to wait anew."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

from mmengine.hooks import EarlyStoppingHook, SyncBuffersHook
from mmengine.runner import Runner

# Hooks without a `state_dict`, and what they remember from epoch to validation, and from validation to validation.
_MEMORIES: dict[type, tuple[str, ...]] = {
    EarlyStoppingHook: ("wait_count", "best_score"),
    SyncBuffersHook: ("called_in_train",),
}


def hook_states(runner: Runner) -> dict[str, Any]:
    """What mmengine's hooks remember, and the states of hooks that have a `state_dict` of their own."""
    return {name: _state(hook) for name, hook in _named(runner).items()}


def restore_hooks(runner: Runner, states: Mapping[str, Any]) -> None:
    """Put it back into the hooks that are still there."""
    for name, hook in _named(runner).items():
        if name in states and _memory(hook):
            vars(hook).update(states[name])
        elif name in states:
            hook.load_state_dict(states[name])


def _state(hook: Any) -> dict[str, Any]:
    if memory := _memory(hook):
        return {name: getattr(hook, name) for name in memory}
    state: dict[str, Any] = hook.state_dict()
    return state


def _memory(hook: Any) -> tuple[str, ...]:
    return next((memory for kind, memory in _MEMORIES.items() if isinstance(hook, kind)), ())


def _named(runner: Runner) -> dict[str, Any]:
    """The hooks that remember something, by class and number."""
    found: dict[str, Any] = {}
    count: collections.Counter[str] = collections.Counter()
    for hook in runner.hooks:
        if _memory(hook) or hasattr(hook, "load_state_dict"):
            name = type(hook).__name__
            found[f"{name}.{count[name]}"] = hook
            count[name] += 1
    return found
