"""Which request goes wrong, and how: the same for the same seed, whatever the order of requests is."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from typing import Any, Self

KINDS = {
    "busy": "503 SlowDown",
    "error": "500 InternalError",
    "reset": "the connection is reset before an answer",
    "cut": "the connection is closed in the middle of the body",
    "flip": "one bit of the body is another",
    "stall": "half of the body, then nothing for `stall` seconds",
    "slow": "the body in ten pieces, over `stall` seconds",
    "denied": "403 AccessDenied",
    "skewed": "403 RequestTimeTooSkewed",
    "short": "a body shorter than stored, with a Content-Length to match it and the stored checksums",
}


@dataclasses.dataclass(kw_only=True)
class Plan:
    """How each request is answered.

    Attributes:
        latency: seconds until the first byte.
        rates: shares of all GET requests for objects by kind of fault, drawn from the seed, the key and how often this
            key was asked for.
        keys: for `bucket/key`: the kinds of its first answers, one after another (`ok` for a good one); the rest are
            drawn.
        always: for `bucket/key`: the kind of every answer.
        checksums: whether answers carry x-amz-checksum-crc32 and x-goog-hash.
        note: what objects say of their CRC-32C in metadata of their own: `right`, as we upload them; `old`, that of a
            body that was written over; or nothing.
        stall: seconds.
        seed: of the draws.
    """

    latency: float = 0.0
    rates: dict[str, float] = dataclasses.field(default_factory=dict)
    keys: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    always: dict[str, str] = dataclasses.field(default_factory=dict)
    checksums: bool = True
    note: str = ""
    stall: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        named = {*self.rates, *self.always.values(), *(kind for kinds in self.keys.values() for kind in kinds)}
        if unknown := named - {*KINDS, "ok"}:
            raise ValueError(f"no such faults: {', '.join(sorted(unknown))}")
        self._asked: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    @classmethod
    def of(cls, text: str) -> Self:
        """The plan that a JSON object says."""
        content: dict[str, Any] = json.loads(text)
        return cls(**content)

    def asked(self) -> dict[str, int]:
        """How often each `bucket/key` was asked for."""
        return dict(self._asked)

    def next(self, name: str) -> str:
        """What happens to this request for `name`: a kind of fault, or `ok`."""
        time = self._asked[name]
        self._asked[name] += 1
        planned = self.keys.get(name, [])
        kind = self.always.get(name) or (planned[time] if time < len(planned) else self._draw(name, time))
        self.faults[kind] += 1
        return kind

    def _draw(self, name: str, time: int) -> str:
        if not self.rates:
            return "ok"
        digest = hashlib.blake2b(f"{self.seed} {name} {time}".encode(), digest_size=8).digest()
        share = int.from_bytes(digest, "big") / 2**64
        for kind, rate in self.rates.items():
            share -= rate
            if share < 0:
                return kind
        return "ok"
