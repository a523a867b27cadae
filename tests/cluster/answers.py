"""Answers and refusals of the protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any


class Refused(Exception):
    """A request that the master refuses, with the message that the client shows."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """One request: the values in its path, its query, its body and who asks."""

    path: dict[str, str]
    query: dict[str, str]
    body: Any
    token: str

    def number(self, name: str) -> int:
        """A number in the path."""
        return int(self.path[name])

    @property
    def follow(self) -> bool:
        """Whether a stream goes on until what it tells of has ended."""
        return self.query.get("follow") == "true"


Stream = Iterator[dict[str, Any]]
Answer = dict[str, Any] | Stream
