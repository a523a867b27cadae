"""A small made COCO in the shape of the official zips, and a server of them that can be told to misbehave."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import pathlib
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Files = dict[str, bytes]
PIECE = 1 << 14


def images(folder: str, count: int, *, size: int = 4000, prefix: str = "", ending: str = ".jpg") -> Files:
    """Files that look like images from afar: bytes that can't be packed any smaller."""
    rng = np.random.default_rng(len(folder))
    return {f"{folder}/{prefix}{number:012d}{ending}": rng.bytes(size + number) for number in range(1, count + 1)}


def annotations(names: Files, *, masks: Files | None = None) -> bytes:
    """An annotation file that names the images, and the masks of a panoptic one."""
    listed = [{"id": number, "file_name": name.rpartition("/")[2]} for number, name in enumerate(names, start=1)]
    marks = [{"image_id": number, "file_name": name.rpartition("/")[2]} for number, name in enumerate(masks or (), 1)]
    return json.dumps({"images": listed, "annotations": marks, "categories": [{"id": 7, "name": "x"}]}).encode()


def zipped(files: Files, *, method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip as COCO's: with an entry for each folder."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for folder in dict.fromkeys(f"{name.rpartition('/')[0]}/" for name in files):
            archive.writestr(folder, b"")
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type, entry.extra = method, b"UT\5\0\3abcd"  # a time, as Info-ZIP adds it to each header
            archive.writestr(entry, content)
    return packed.getvalue()


def coco_2017(*, train: int = 40, val: int = 6) -> Files:
    """The zips by their path below COCO's address."""
    parts = {"train2017": images("train2017", train), "val2017": images("val2017", val)}
    maps = {name: images(f"panoptic_{name}", len(part), size=300, ending=".png") for name, part in parts.items()}
    texts = {
        f"annotations/{kind}_{name}.json": annotations(part)
        for kind in ("instances", "captions", "person_keypoints")
        for name, part in parts.items()
    }
    panoptic = {f"annotations/panoptic_{name}.json": annotations(parts[name], masks=maps[name]) for name in parts}
    panoptic |= {
        f"annotations/panoptic_{name}.zip": zipped({**maps[name], f"__MACOSX/panoptic_{name}/._x.png": b"x"})
        for name in parts
    }
    stuff = {name: content for part in parts for name, content in images(part, 3, size=200, ending=".png").items()}
    return {
        **{f"zips/{name}.zip": zipped(part) for name, part in parts.items()},
        "zips/test2017.zip": zipped(images("test2017", 3)),
        "annotations/annotations_trainval2017.zip": zipped(texts, method=zipfile.ZIP_DEFLATED),
        "zips/unlabeled2017.zip": zipped(images("unlabeled2017", 4)),
        "annotations/image_info_unlabeled2017.zip": zipped(
            {"annotations/image_info_unlabeled2017.json": annotations(images("unlabeled2017", 4))}
        ),
        "annotations/image_info_test2017.zip": zipped(
            {"annotations/image_info_test2017.json": annotations(images("test2017", 3))}
        ),
        "annotations/panoptic_annotations_trainval2017.zip": zipped(panoptic, method=zipfile.ZIP_DEFLATED),
        "annotations/stuff_annotations_trainval2017.zip": zipped(
            {f"annotations/stuff_{name}.json": b'{"stuff": 1}' for name in parts}
        ),
        "stuffthingmaps_trainval2017.zip": zipped(stuff),
    }


class Server:
    """Serves files with ranges.

    Attributes:
        url: the base.
        asked: the path and the range of each request.
        spoil: may change the bytes of an answer, or sleep; gets the number of the request (from 0) and the body.
        cut: the first so many answers with a body end in the middle.
        busy: the first so many answers are 503.
        pause: seconds between two pieces of an answer.
        ranges: whether `Range` is honoured.
    """

    def __init__(self, files: Files) -> None:
        self.files = files
        self.asked: list[tuple[str, str]] = []
        self.spoil: Callable[[int, bytes], bytes] = lambda _, body: body
        self.cut = self.busy = 0
        self.pause = 0.0
        self.ranges = True
        self.url = ""

    @property
    def bodies(self) -> list[tuple[str, int]]:
        """The path and the length of what was asked for, without the first bytes that tell a size."""
        spans = [(path, *map(int, asked.removeprefix("bytes=").split("-"))) for path, asked in self.asked]
        return [(path, last - first + 1) for path, first, last in spans if last > 0]


@contextlib.contextmanager
def serving(files: Files) -> Iterator[Server]:
    """A server on this machine, in threads."""
    server = Server(files)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, server)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        server.url = f"http://127.0.0.1:{listening.server_port}"
        threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server
        finally:
            listening.shutdown()


def _answer(request: http.server.BaseHTTPRequestHandler, server: Server) -> None:
    content = server.files.get(request.path.lstrip("/"))
    wanted = request.headers.get("Range", "")
    number = len(server.asked)
    server.asked.append((request.path, wanted))
    if content is None or server.busy > 0:
        server.busy -= content is not None
        request.send_error(404 if content is None else 503)
        return
    body, last = content, len(content) - 1
    if wanted and server.ranges:
        first, last = map(int, wanted.removeprefix("bytes=").split("-"))
        body = content[first : last + 1]
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
    else:
        request.send_response(200)
    request.send_header("ETag", f'"{hash(content)}"')
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    body = server.spoil(number, body)
    if server.cut > 0 and len(body) > 1:
        server.cut -= 1
        body = body[: len(body) // 2]
        request.close_connection = True
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(body), PIECE):
            request.wfile.write(body[start : start + PIECE])
            time.sleep(server.pause)


def below(folder: pathlib.Path) -> Files:
    """Every file below a folder, but for locks."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
