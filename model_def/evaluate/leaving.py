"""The way out of a validation that is running, when a stop is asked for: what it has changed is put back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import EMAHook
from mmengine.logging import MessageHub, print_log
from mmengine.runner import Runner

# What a hook may override to act between the beginning of a validation and the end of one of its batches.
_OF_HOOKS = (
    *("before_val", "before_val_epoch", "before_val_iter", "after_val_iter"),
    *("_before_epoch", "_before_iter", "_after_iter"),
)
_OF_LOOPS = ("run", "run_iter")
# Whose hooks and loops have been read: what they change is in `Exit`, or in what each process saves of itself.
_READ = ("mmengine.", "mmdet.", "model_def.")


class Left(Exception):
    """The validation was left in the middle. Nothing has failed, and nobody outside the controller sees it."""


class Exit:
    """Watches one validation, on every process.

    Put back are the weights that EMAHooks have swapped, and the MessageHub. Random numbers, buffers and what modules
    and hooks remember are saved as they were before (see `MMDetCallback`). What else a validation changes ends with
    the process: results of evaluators, `predict_on` of TeacherStudentValLoop, the place of its data loader.

    Args:
        runner: about to validate. All processes must get here.
        stop_pending: asked after each batch that every process has. It may be a collective.
    """

    def __init__(self, runner: Runner, stop_pending: Callable[[], bool]) -> None:
        self._runner, self._stop_pending = runner, stop_pending
        self._hub = _Hub(runner.message_hub)
        self._batches = min(all_gather_object(len(runner.val_loop.dataloader)))

    def look(self, batch: int) -> None:
        """Leave behind this batch, if a stop is pending.

        Raises:
            Left: everything is as it was before the validation.
        """
        if batch >= self._batches or not self._stop_pending():
            return
        if found := strangers(self._runner):
            self._batches = 0  # not asked again
            message = f"stops after this validation: nobody can undo what {', '.join(found)} may have done in it"
            print_log(message, logger="current", level=logging.WARNING)
            return
        for hook in reversed(self._runner.hooks):
            if isinstance(hook, EMAHook):
                EMAHook.after_val_epoch(hook, self._runner)
        self._hub.put_back()
        raise Left


def strangers(runner: Runner) -> list[str]:
    """The hooks, and the loop, that act in a validation and are neither mmengine's, mmdet's nor ours."""
    parts: list[tuple[Any, tuple[str, ...]]] = [(runner.val_loop, _OF_LOOPS)]
    parts += [(hook, _OF_HOOKS) for hook in runner.hooks]
    return [type(part).__name__ for part, names in parts if not all(_is_read(part, name) for name in names)]


def _is_read(part: Any, name: str) -> bool:
    return str(getattr(getattr(type(part), name, None), "__module__", "")).startswith(_READ)


class _Hub:
    """What a MessageHub holds now. Its histories are never changed, but replaced by longer ones: nothing is copied."""

    def __init__(self, hub: MessageHub) -> None:
        self._hub = hub
        self._histories = {name: buffer.data for name, buffer in hub.log_scalars.items()}
        self._info, self._resumed = dict(hub.runtime_info), dict(hub._resumed_keys)

    def put_back(self) -> None:
        """Make it hold that again."""
        scalars = self._hub._log_scalars
        for name in [*scalars]:
            if name in self._histories:
                scalars[name]._log_history, scalars[name]._count_history = self._histories[name]
            else:
                del scalars[name]
        for now, before in ((self._hub._runtime_info, self._info), (self._hub._resumed_keys, self._resumed)):
            now.clear()
            now.update(before)
