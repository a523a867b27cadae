"""What the master wants of a running trial: that it stops, for a pause or because its search has seen enough."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import determined as det
from determined import pytorch
from determined.common.api import authentication, bindings, certs, errors

STOPPING_SEARCHES = ("adaptive_asha", "async_halving")
_PAUSE = 5.0  # seconds between two questions


class Wishes:
    """Asked after every batch, on all processes together, which get the same answer.

    A master tells a trial that it is to be paused. Of one that its search stops, Determined 0.38.1 only notes the
    state: the trial must look for itself.

    Args:
        context: of this process.
        searches: whether the experiment's search stops trials.
    """

    def __init__(self, context: pytorch.PyTorchTrialContext, *, searches: bool) -> None:
        self._context, self._searches = context, searches
        self.enough = threading.Event()

    def stop(self) -> bool:
        """Whether to report, save and leave now."""
        if self._searches and self._context.distributed.broadcast(self.enough.is_set()):
            self._context.set_stop_requested(True)
            return True
        return bool(self._context._core.preempt.should_preempt(auto_ack=False))


@contextlib.contextmanager
def wishes(context: pytorch.PyTorchTrialContext, info: det.ClusterInfo) -> Iterator[Wishes]:
    """A trial's, while it trains."""
    searches = info.trial._config["searcher"]["name"] in STOPPING_SEARCHES
    found, over = Wishes(context, searches=searches), threading.Event()
    if searches and context.distributed.rank == 0:
        threading.Thread(target=_watch, args=(info, found.enough, over), daemon=True).start()
    try:
        yield found
    finally:
        over.set()


def _watch(info: det.ClusterInfo, enough: threading.Event, over: threading.Event) -> None:
    """Look again and again whether the search has stopped the trial; a master that does not answer is asked again."""
    session = authentication.login_from_task(info.master_url, cert=certs.default_load(info.master_url))
    while not enough.is_set() and not over.wait(_PAUSE):
        with contextlib.suppress(errors.BadRequestException, errors.BadResponseException, OSError):
            trial = bindings.get_GetTrial(session, trialId=info.trial.trial_id).trial
            if trial.state == bindings.trialv1State.STOPPING_COMPLETED:
                enough.set()
