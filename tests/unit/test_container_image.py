"""The container image that an experiment names: a wrong name, and one that its registry hasn't got."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from model_def.container_image import look_up, name_problems
from model_def.errors import UserError
from model_def.platform.registry import ACCEPT, ask
from model_def.yaml_source import Source

SOURCE = Source(name="experiment.yaml")
USER = "Basic " + base64.b64encode(b"me:secret").decode()
GOOD = [
    "ubuntu", "determinedai/pytorch-ngc:0.38.1", "ghcr.io/me/det-mmdet:cuda-13_x", "localhost:5000/a__b/c.d:1",
    "me/mmdet@sha256:" + "0a" * 32, "docker://me/mmdet:1", "/images/mmdet.sif",
]  # fmt: skip
BAD = ["", "Determined AI/mmdet", "me/MMDet:1", "me/mmdet:", "me/mmdet:a b", "https//x y", "me//mmdet", "mmdet.:1"]


class Registry(http.server.BaseHTTPRequestHandler):
    """Answers as registries do: `open/…` after a token that everybody gets, `mine/…` to me, `gone/…` never."""

    def do_HEAD(self) -> None:
        _, _, owner, name, kind, tag = self.path.split("/")
        assert self.headers["Accept"] == ACCEPT["Accept"]
        assert kind == "manifests"
        if owner == "basic":
            status = 200 if self.headers["Authorization"] == USER else 401
            return self._answer(status, 'Basic realm="here"')
        token = self.headers["Authorization"]
        if not token:
            realm = f"http://{self.headers['Host']}/token"
            scope = f"repository:{owner}/{name}:pull"
            return self._answer(401, f'Bearer realm="{realm}",service="registry",scope="{scope}"')
        if owner == "mine" and token != "Bearer mine":
            return self._answer(401)
        return self._answer({"1": 200, "broken": 500}.get(tag, 404))

    def do_GET(self) -> None:
        assert "service=registry" in self.path
        assert "scope=repository" in self.path
        if "gone" in self.path:
            return self._answer(403)
        return self._answer(200, body={"token": "mine" if self.headers["Authorization"] == USER else "anybody"})

    def _answer(self, status: int, challenge: str = "", body: dict[str, str] | None = None) -> None:
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        if body:
            self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def no_login(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "localhost")


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    with serving() as address:
        yield address


@contextlib.contextmanager
def serving() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("localhost", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", GOOD)
def test_names(name):
    assert not [*name_problems({"image": name}, SOURCE)]


@pytest.mark.parametrize("name", BAD)
def test_names_that_no_image_has(name):
    [problem] = name_problems({"image": {"cpu": "ubuntu", "cuda": name}}, SOURCE)
    assert problem.value == name
    assert "environment.image.cuda" in problem.where


def test_nothing_is_named():
    assert not [*name_problems(None, SOURCE), *name_problems({"ports": {}}, SOURCE)]


@pytest.mark.parametrize(
    ("image", "found", "why"),
    [
        ("open/mmdet:1", True, ""),
        ("open/mmdet:2", False, ""),
        ("open/mmdet", False, ""),
        ("open/mmdet:broken", None, "says 500"),
        ("mine/mmdet:1", None, "shows it to nobody without a login"),
        ("basic/mmdet:1", None, "shows it to nobody without a login"),
        ("gone/mmdet:1", None, "shows it to nobody without a login"),
    ],
)
def test_what_a_registry_says(registry, image, found, why):
    assert ask(f"{registry}/{image}", {}) == (found, f"{registry} {why}" if why else "")


@pytest.mark.parametrize("owner", ["mine", "basic"])
def test_a_login(registry, tmp_path, owner):
    assert ask(f"{registry}/{owner}/mmdet:1", {"registry_auth": {"username": "me", "password": "secret"}})[0]
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry: {"auth": USER.removeprefix("Basic ")}}}))
    assert ask(f"{registry}/{owner}/mmdet:1", {})[0], "as `docker login` has kept it"


def test_nobody_answers():
    with serving() as address:
        pass
    assert ask(f"{address}/open/mmdet:1", {}) == (None, f"{address} doesn't answer")


def test_what_is_told(registry):
    there, elsewhere = f"{registry}/open/mmdet:1", "/images/mmdet.sif"
    told = look_up({"image": {"cpu": there, "cuda": elsewhere}}, SOURCE)
    assert told == f"{there}, which its registry has\n{elsewhere}, not looked up: it is no registry's"
    with pytest.raises(UserError, match="registry has no such image") as caught:
        look_up({"image": {"cpu": there, "cuda": f"{registry}/open/mmdet:12"}}, SOURCE)
    [problem] = caught.value.problems
    assert problem.value == f"{registry}/open/mmdet:12"
    assert problem.where == "experiment.yaml (environment.image.cuda)"
