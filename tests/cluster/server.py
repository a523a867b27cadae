"""HTTP of the stand-in: finds the function for a request, and keeps a list of the requests that there is none for."""

from __future__ import annotations

import dataclasses
import json
import re
import traceback
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.cluster.answers import Answer, Refused, Request
from tests.cluster.master import Master

Handler = Callable[[Master, Request], Answer]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Route:
    """One endpoint. `{name}` in the path stands for a value; `open` ones need no login."""

    method: str
    path: str
    handler: Handler
    open: bool = False

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The values in the path, or None if the request is for another endpoint."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found and method == self.method else None


def serve(master: Master, routes: Sequence[Route], port: int = 0) -> ThreadingHTTPServer:
    """A server on this machine, not yet running; port 0 is any free one."""

    class Connection(_Connection):
        pass

    Connection.master, Connection.routes = master, routes
    server = ThreadingHTTPServer(("127.0.0.1", port), Connection)
    server.daemon_threads = True
    return server


class _Connection(BaseHTTPRequestHandler):
    master: Master
    routes: Sequence[Route]
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: else each answer waits for the client's delayed acknowledgement
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        """A client that was killed leaves its connection."""
        try:
            super().handle_one_request()
        except ConnectionResetError:
            self.close_connection = True

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        content = self.rfile.read(length)
        if len(content) < length:  # the client was killed while it asked
            self.close_connection = True
            return
        try:
            self._answer(self._handle(content))
        except Refused as refused:
            self._send(refused.status, {"error": {"error": str(refused)}, "message": str(refused)})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has gone: a long poll of a trial that was killed
        except Exception:
            self.master.broken.append(traceback.format_exc())
            self._send(500, {"message": traceback.format_exc()})
            raise

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def _handle(self, content: bytes) -> Answer:
        url = urlsplit(self.path)
        path = "/" + url.path.strip("/")
        for route in self.routes:
            values = route.match(self.command, path)
            if values is not None:
                token = self._token()
                if not route.open and not self.master.knows(token):
                    raise Refused(401, "not logged in")
                body = json.loads(content) if content else {}
                request = Request(path=values, query=dict(parse_qsl(url.query)), body=body, token=token)
                return route.handler(self.master, request)
        self.master.unknown.append(f"{self.command} {path}")
        raise Refused(404, f"the stand-in does not know {self.command} {path}")

    def _token(self) -> str:
        sent = self.headers.get("Grpc-Metadata-x-allocation-token") or self.headers.get("Authorization") or ""
        return sent.removeprefix("Bearer ")

    def _answer(self, answer: Answer) -> None:
        if isinstance(answer, dict):
            self._send(200, answer)
            return
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for item in answer:
            self.wfile.write(json.dumps({"result": item}).encode() + b"\n")
            self.wfile.flush()

    def _send(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *values: Any) -> None:
        """Nothing is printed per request."""
