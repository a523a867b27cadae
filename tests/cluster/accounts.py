"""Who asks whom: the master's name and version, logins."""

from __future__ import annotations

from determined.common.api import bindings

from tests.cluster.answers import Answer, Request
from tests.cluster.master import Master
from tests.cluster.server import Route


def info(master: Master, request: Request) -> Answer:
    """`det` asks for the version before each command."""
    return {"version": master.version, "cluster_id": master.id, "master_id": master.id}


def describe(master: Master, request: Request) -> Answer:
    """The SDK and `det master info` ask."""
    return bindings.v1GetMasterResponse(
        clusterId=master.id, clusterName="stand-in", hasCustomLogo=False, masterId=master.id,
        strictJobQueueControl=False, version=master.version, rbacEnabled=False,
    ).to_json(True)  # fmt: skip


def login(master: Master, request: Request) -> Answer:
    """`det` logs in as `determined` without a password where nobody has logged in; any user is welcome here."""
    name = request.body["username"]
    return bindings.v1LoginResponse(token=master.login(name), user=_user(name)).to_json(True)


def logout(master: Master, request: Request) -> Answer:
    """`det user logout`."""
    del master.users[request.token]
    return {}


def me(master: Master, request: Request) -> Answer:
    """`det` checks a token that it has kept from an earlier command."""
    return {"user": _user(master.users[request.token]).to_json(True)}


def _user(name: str) -> bindings.v1User:
    return bindings.v1User(active=True, admin=True, username=name, id=1, displayName=name)


ROUTES = [
    Route(method="GET", path="/info", handler=info, open=True),
    Route(method="GET", path="/api/v1/master", handler=describe, open=True),
    Route(method="POST", path="/api/v1/auth/login", handler=login, open=True),
    Route(method="POST", path="/api/v1/auth/logout", handler=logout),
    Route(method="GET", path="/api/v1/me", handler=me),
    Route(method="GET", path="/api/v1/auth/user", handler=me),
]
