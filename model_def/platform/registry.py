"""Whether a registry has a container image: asked for its manifest, as Docker does before it pulls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import docker.auth
import docker.errors
import docker.utils
import requests

HUB = "docker.io"
HUB_HOST, OFFICIAL = "registry-1.docker.io", "library/"
SECONDS = 3.0
# Without the kinds for many platforms a registry denies such an image.
MANIFESTS = ("docker.distribution.manifest.v2", "docker.distribution.manifest.list.v2", "oci.image.manifest.v1",
             "oci.image.index.v1")  # fmt: skip
ACCEPT = {"Accept": ", ".join(f"application/vnd.{kind}+json" for kind in MANIFESTS)}
LOCAL = ("localhost", "127.")

Credentials = tuple[str, str] | None


def ask(image: str, environment: Mapping[str, Any]) -> tuple[bool | None, str]:
    """Whether its registry has an image; None with the reason if that can't be told from here.

    Args:
        image: `[REGISTRY/]NAME[:TAG|@DIGEST]`.
        environment: an experiment's; its `registry_auth` comes before what `docker login` has kept.
    """
    repository, tag = docker.utils.parse_repository_tag(image)
    registry, name = docker.auth.resolve_repository_name(repository)
    try:
        status = _status(_url(registry, name, tag or "latest"), _credentials(registry, environment))
    except requests.RequestException:
        return None, f"{registry} doesn't answer"
    if status in (200, 404):
        return status == 200, ""
    return None, f"{registry} " + ("shows it to nobody without a login" if status in (401, 403) else f"says {status}")


def _url(registry: str, name: str, tag: str) -> str:
    host = HUB_HOST if registry == HUB else registry
    scheme = "http" if registry.startswith(LOCAL) else "https"
    official = OFFICIAL if registry == HUB and "/" not in name else ""
    return f"{scheme}://{host}/v2/{official}{name}/manifests/{tag}"


def _credentials(registry: str, environment: Mapping[str, Any]) -> Credentials:
    given = environment.get("registry_auth")
    if not given:
        try:
            given = docker.auth.load_config().resolve_authconfig(registry)
        except docker.errors.DockerException:  # a helper of `docker login` that isn't there
            return None
    words = {key.lower(): value for key, value in (given or {}).items()}
    return (words["username"], words["password"]) if {"username", "password"} <= {*words} else None


def _status(url: str, credentials: Credentials) -> int:
    """The answer's, to a second question if the registry wants to know who asks."""
    answer = _head(url)
    kind, _, words = answer.headers.get("WWW-Authenticate", "").partition(" ")
    if answer.status_code == 401 and kind.lower() == "bearer":
        answer = _with_token(url, requests.utils.parse_dict_header(words), credentials)
    elif answer.status_code == 401 and credentials:
        answer = _head(url, auth=credentials)
    return int(answer.status_code)


def _with_token(url: str, asked: dict[str, str], credentials: Credentials) -> requests.Response:
    """The answer to one who has the token that is asked for; for what is public everybody gets one."""
    realm = asked.pop("realm")
    given = requests.get(realm, params=asked, auth=credentials, timeout=SECONDS)
    if not given.ok:
        return given
    words = given.json()
    return _head(url, Authorization=f"Bearer {words.get('token') or words['access_token']}")


def _head(url: str, auth: Credentials = None, **headers: str) -> requests.Response:
    return requests.head(url, headers={**ACCEPT, **headers}, auth=auth, timeout=SECONDS, allow_redirects=True)
