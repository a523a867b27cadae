"""What Ray is told by the environment, before it is imported."""

from __future__ import annotations

import os
import secrets

_ALWAYS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # trials are the work itself; Ray's 15 is for a desktop's background
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}


def set_environment() -> None:
    """No statistics are sent, Tune writes and prints nothing of its own, and nobody else may use our Ray.

    Ray by itself leaves a token for this in the home directory. Ours is known to the processes of this search alone.
    """
    os.environ.update(_ALWAYS)
    if not os.environ.get("RAY_ADDRESS"):
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
