"""mmengine's CheckpointHook, the one default hook that does not run: Determined saves, at the hook's moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Options that do nothing here, and what decides instead.
_REPLACED = {
    "save_best": "searcher.metric",
    "rule": "searcher.smaller_is_better",
    "max_keep_ckpts": "checkpoint_storage.save_trial_latest",
    "out_dir": "checkpoint_storage",
    "published_keys": "nothing: each checkpoint has a model.pth to publish",
}


def is_translated(checkpoint_hook: Mapping[str, Any] | None) -> bool:
    """Whether `default_hooks.checkpoint` is mmengine's own CheckpointHook, which Determined's checkpoints replace.

    A subclass that somebody wrote has a purpose that is not known here: it runs as it is.
    """
    return checkpoint_hook is None or checkpoint_hook.get("type") == "CheckpointHook"


def checkpoint_notes(checkpoint_hook: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What to tell the user about the options that something else decides."""
    if not checkpoint_hook or not is_translated(checkpoint_hook):
        return ()
    given = [key for key in _REPLACED if checkpoint_hook.get(key) not in (None, -1)]
    return tuple(
        f"default_hooks.checkpoint.{key} = {checkpoint_hook[key]!r} has no effect; what decides is {_REPLACED[key]}"
        for key in given
    )
