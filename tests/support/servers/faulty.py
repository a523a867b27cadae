"""A server of objects that makes mistakes as planned. It speaks just enough S3 (path style) and GCS (JSON) to read.

    python -m tests.support.servers.faulty --port 8000 --root DIR --plan '{"latency": 0.02, "rates": {"cut": 0.05}}'

`GET /_log` gives what was asked for; `PUT /_plan` takes another plan. One thread, asynchronous: about 0.1 ms of a core
for a request, any number of connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pathlib
import re
import signal
import socket
import struct
import time
from collections import Counter
from urllib.parse import parse_qsl, unquote

from tests.support.servers.objects import Object, Objects
from tests.support.servers.plan import Plan

GCS_OBJECT = re.compile(r"/(?:download/)?storage/v1/b/([^/]+)/o/(.+)")
GCS_BUCKET = re.compile(r"/storage/v1/b/([^/]+)/o/?")
REASONS = {
    "busy": (503, "SlowDown", "Please reduce your request rate."),
    "error": (500, "InternalError", "We encountered an internal error."),
    "denied": (403, "AccessDenied", "Access Denied"),
    "skewed": (403, "RequestTimeTooSkewed", "The difference between the request time and the server's is too large."),
}


class Store:
    """What all connections share."""

    def __init__(self, root: pathlib.Path, plan: Plan) -> None:
        self.objects, self.plan = Objects(root), plan
        self.agents: Counter[str] = Counter()

    def log(self) -> str:
        """What was asked for so far, as JSON."""
        spent = {"ms": round(1000 * time.process_time())}
        told = {"asked": self.plan.asked(), "faults": dict(self.plan.faults), "agents": dict(self.agents), "cpu": spent}
        return json.dumps(told)


class Connection(asyncio.Protocol):
    """One client's, kept alive from request to request; who sends the next one before the answer is not served."""

    def __init__(self, store: Store) -> None:
        self._store, self._received = store, b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        size = int(length[1]) if length else 0
        if not found or len(rest) < size:
            return
        self._received = rest[size:]
        if agent := re.search(rb"\r\nuser-agent: *([\w.-]+)", head, re.IGNORECASE):
            self._store.agents[agent[1].decode()] += 1
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        body = rest[:size].decode(errors="replace")
        asyncio.get_running_loop().call_later(self._store.plan.latency, self._answer, method, target, body)

    def _answer(self, method: str, target: str, body: str) -> None:
        path, _, query = target.partition("?")
        words = dict(parse_qsl(query, keep_blank_values=True))
        if path.startswith("/_"):
            self._control(path, body)
        elif match := GCS_OBJECT.fullmatch(path):
            media = "download" in path or words.get("alt") == "media"
            self._object("GET" if media else "META", unquote(match[1]), unquote(match[2]))
        elif match := GCS_BUCKET.fullmatch(path):
            self._listing(unquote(match[1]), words, gcs=True)
        else:
            bucket, _, key = unquote(path).lstrip("/").partition("/")
            if key:
                self._object(method, bucket, key)
            else:
                self._listing(bucket, words, gcs=False)

    def _control(self, path: str, body: str) -> None:
        if path == "/_plan":
            self._store.plan = Plan.of(body)
            self._store.agents.clear()
            self._store.objects.forget()
        self._send(200, self._store.log().encode(), "Content-Type: application/json\r\n")

    def _listing(self, bucket: str, words: dict[str, str], *, gcs: bool) -> None:
        if not self._store.objects.has_bucket(bucket):
            self._refuse(404, "NoSuchBucket", "The specified bucket does not exist")
        elif gcs:
            self._send(
                200, self._store.objects.gcs_listing(bucket, words).encode(), "Content-Type: application/json\r\n"
            )
        else:
            self._send(200, self._store.objects.s3_listing(bucket, words).encode(), "Content-Type: application/xml\r\n")

    def _object(self, method: str, bucket: str, key: str) -> None:
        found = self._store.objects.get(f"{bucket}/{key}")
        kind = self._store.plan.next(f"{bucket}/{key}") if method == "GET" else "ok"
        if not self._store.objects.has_bucket(bucket):
            self._refuse(404, "NoSuchBucket", "The specified bucket does not exist")
        elif kind in REASONS:
            self._refuse(*REASONS[kind])
        elif kind == "reset":
            self._reset()
        elif found is None:
            self._refuse(404, "NoSuchKey", f"No such object: {bucket}/{key}", bare=method == "HEAD")
        elif method == "META":
            item = json.dumps(self._store.objects.gcs_item(bucket, key)).encode()
            self._send(200, item, "Content-Type: application/json\r\n")
        else:
            self._serve(found, kind, bare=method == "HEAD")

    def _serve(self, found: Object, kind: str, *, bare: bool) -> None:
        plan, body = self._store.plan, found.body
        if kind == "flip" and body:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 4]) + body[middle + 1 :]
        if kind == "short":
            body = body[: len(body) // 2]
        headers = found.headers(checksums=plan.checksums, note=plan.note)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        if bare:
            self._transport.write(head.encode())
        elif kind == "cut":
            self._transport.write(head.encode() + body[: len(body) // 2])
            self._transport.close()
        elif kind in ("stall", "slow"):
            self._transport.write(head.encode())
            self._drip(body, pieces=10 if kind == "slow" else 2, pause=plan.stall / (10 if kind == "slow" else 1))
        else:
            self._transport.writelines([head.encode(), body])

    def _drip(self, body: bytes, *, pieces: int, pause: float) -> None:
        size = -(-len(body) // pieces) or 1
        if not self._transport.is_closing():
            self._transport.write(body[:size])
            if body[size:]:
                again = body[size:]
                asyncio.get_running_loop().call_later(
                    pause, lambda: self._drip(again, pieces=max(pieces - 1, 1), pause=pause)
                )

    def _reset(self) -> None:
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _refuse(self, status: int, code: str, message: str, *, bare: bool = False) -> None:
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self._send(status, body, "Content-Type: application/xml\r\n", bare=bare)

    def _send(self, status: int, body: bytes, headers: str, *, bare: bool = False) -> None:
        head = f"HTTP/1.1 {status} Planned\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self._transport.write(head.encode() + (b"" if bare else body))


async def serve(store: Store, port: int) -> None:
    """Answer until somebody ends the process."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(lambda: Connection(store), "127.0.0.1", port, backlog=512)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--plan", type=Plan.of, default=Plan(), help="JSON: the fields of plan.Plan")
    chosen = parser.parse_args()
    asyncio.run(serve(Store(chosen.root, chosen.plan), chosen.port))
