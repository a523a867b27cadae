"""The container image that an experiment names for a cluster.

A master takes any text; an agent then fails to pull it, once for each of `max_restarts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from model_def.errors import Problem, UserError
from model_def.yaml_source import Source

PLACE = ("environment", "image")
OWN_IMAGE = "build one with docker/Dockerfile and name it in `environment.image`"
ALLOWED = "[REGISTRY/]NAME[:TAG], the name in small letters"
# As Docker's reference grammar has it; other container runtimes also take URLs and files.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DOCKER = rf"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@[a-z0-9]+:[0-9a-f]{{32,}})?"
REFERENCE = re.compile(_DOCKER)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+-]*://.+|/.+")


def named(environment: Any) -> dict[tuple[str, ...], str]:
    """The images of an `environment`, by the place of each: one for all, or one for each kind of slots."""
    image = environment.get("image") if isinstance(environment, Mapping) else None
    images = {(*PLACE, key): name for key, name in image.items()} if isinstance(image, Mapping) else {PLACE: image}
    return {place: name for place, name in images.items() if isinstance(name, str)}


def name_problems(environment: Any, source: Source) -> Iterator[Problem]:
    """The names that no image can have."""
    for place, name in named(environment).items():
        if not (REFERENCE.fullmatch(name) or ELSEWHERE.fullmatch(name)):
            what = "no image can have this name"
            yield Problem(what=what, value=name, where=source.where(*place), allowed=ALLOWED, next=OWN_IMAGE)


def look_up(environment: Any, source: Source) -> str:
    """What the registries of an experiment's images say of them, as far as they say it from here.

    Raises:
        UserError: a registry has no such image.
    """
    from model_def.platform.registry import ask

    told, missing = [], []
    for place, name in named(environment).items():
        found, why = (None, "it is no registry's") if ELSEWHERE.fullmatch(name) else ask(name, environment)
        told.append(f"{name}, {'which its registry has' if found else f'not looked up: {why}'}")
        if found is False:
            missing.append(_missing(name, source.where(*place)))
    if missing:
        raise UserError.of(missing)
    return "\n".join(told)


def _missing(name: str, where: str) -> Problem:
    return Problem(
        what="the registry has no such image",
        value=name,
        where=where,
        allowed="an image that the cluster's agents can pull",
        next=f"look at its tags; or {OWN_IMAGE}; or remove `environment.image`: the cluster has one of its own",
    )
