"""What is wrong with an experiment and a table of its fields can't say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_def.errors import Problem
from model_def.experiment_fields import HYPERPARAMETERS, LENGTH, LENGTH_OR_INTEGER
from model_def.fields import problems as field_problems
from model_def.yaml_source import Source

ENTRYPOINT = "python3 -m determined.launch.torch_distributed python3 -m model_def.train"
LENGTHS = ("min_validation_period", "min_checkpoint_period", "searcher.max_length")


def get(config: Mapping[str, Any], *path: str) -> Any:
    """The value at a path of keys, or None."""
    node: Any = config
    for part in path:
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def deeper_problems(config: dict[str, Any], source: Source) -> Iterator[Problem]:
    """What a table of fields can't say."""
    for name in LENGTHS:
        yield from _length_problems(get(config, *name.split(".")), name, source)
    yield from _part_problems(config, source, "hyperparameters", "use_pretrained", "min_loaded")
    client = get(config, "data", "file_client_args")
    yield from field_problems(client, HYPERPARAMETERS["file_client_args"], source, ("data", "file_client_args"))


def _part_problems(config: dict[str, Any], source: Source, *place: str) -> Iterator[Problem]:
    value = get(config, *place)
    if isinstance(value, int | float) and value > 1:
        what, where = f"`{'.'.join(place)}` is a part, not a percentage", source.where(*place)
        yield Problem(
            what=what, value=value, where=where, allowed="0 to 1", next=f"write `{place[-1]}: {value / 100:g}`"
        )


def _length_problems(value: Any, name: str, source: Source) -> Iterator[Problem]:
    if value is None or not LENGTH_OR_INTEGER.accepts(value) or (isinstance(value, dict) and len(value) == 1):
        return
    if isinstance(value, int) and name != "searcher.max_length":
        return  # already a wrong type
    what = f"`{name}` has no unit" if isinstance(value, int) else f"`{name}` must have one unit"
    where = source.where(*name.split("."))
    yield Problem(what=what, value=value, where=where, allowed=LENGTH.allowed, next=f"write `{name}: {{epochs: 12}}`")


def refused_note(place: tuple[str, ...], source: Source) -> str:
    """What to write in the place of a mapping that a master would take for a search."""
    return (
        f"{source.where(*place)}: a Determined master refuses a `type` of your own here; "
        f"write `{place[-1]}: {{type: const, val: {{…}}}}`, or dotted keys such as `{place[-1]}.type: …`"
    )


def old_forms(config: dict[str, Any]) -> Iterator[str]:
    """Notes for what was accepted and has a newer form."""
    if config.get("entrypoint") == "model_def:MMDetTrial":
        yield f"entrypoint: model_def:MMDetTrial is an old form; write `entrypoint: {ENTRYPOINT}`"
    if get(config, "data", "file_client_args"):
        yield "data.file_client_args is an old form; write `hyperparameters.file_client_args`"
