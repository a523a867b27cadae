"""Log policies: what a line of a trial's log makes the master do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.cluster.records import Trial

# What a master adds to each experiment's own.
DEFAULTS = [
    {"name": "CUDA OOM", "pattern": ".*CUDA out of memory.*"},
    {"name": "ECC Error", "pattern": ".*uncorrectable ECC error encountered.*"},
]


def with_defaults(policies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An experiment's policies, and the platform's of other names."""
    names = {policy.get("name") for policy in policies}
    return [*policies, *(policy for policy in DEFAULTS if policy["name"] not in names)]


def watch(trial: Trial, policies: list[dict[str, Any]], text: str, node: str) -> Iterator[str]:
    """Note what a line of the log asks for, the first line for each pattern.

    Args:
        node: where it was written.

    Yields:
        What the master writes into the log about it.
    """
    if '"log_policies":' in text:  # a trial prints its configuration, patterns and all
        return
    line = text.rstrip("\n")
    for policy in policies:
        pattern = policy.get("pattern")
        if not pattern or not re.search(pattern, text):
            continue
        trial.policy = policy.get("name") or trial.policy
        if _action(policy) == "cancel_retries":
            trial.no_retries.setdefault(pattern, line)
        elif _action(policy) == "exclude_node" and (node, pattern) not in trial.excluded:
            trial.excluded.add((node, pattern))
            yield f"(log '{_quoted(line)}' matched regex {pattern}) therefore will not schedule on {node}\n"


def last_words(trial: Trial) -> Iterator[str]:
    """What a master writes into the log of a trial that it does not start again because of a policy."""
    yield "trial failed and matched logs to a don't retry policy\n"
    for pattern, line in trial.no_retries.items():
        yield f"(log {_quoted(line)} matched regex {_quoted(pattern)})\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _action(policy: dict[str, Any]) -> str | None:
    action = policy.get("action")
    return action["type"] if isinstance(action, dict) else action
