"""`explain`: the resolved config, each value with the place it comes from and what it replaced there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path as File
from typing import Any, TypeAlias

from model_def.compose import compose, files
from model_def.compose.origin import Layer, Origin, history, leaves
from model_def.compose.tree import Path, dotted
from model_def.errors import ConfigError
from model_def.experiment import load_experiment
from model_def.fields import did_you_mean, nearest
from model_def.mistakes import loaded

LONGEST = 60  # characters of a replaced value
LOADED = ("load_from",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Value:
    """One value of a resolved config.

    Attributes:
        origins: the place that gave it, then those whose values it replaced.
    """

    path: Path
    value: Any
    origins: tuple[Origin, ...]

    @property
    def comment(self) -> str:
        """`quickstart.yaml:25, replaced 50 (retinanet_r50_fpn.py:12)`"""
        first, *older = self.origins
        # A default that was written again, or that stood in a base as well, was not replaced.
        others = (origin for origin in older if _text(origin) not in (str(self.value), repr(self.value)))
        replaced = (f"{_brief(_text(origin))} ({origin.where})" for origin in others)
        return ", replaced ".join((first.where, *replaced))


Values: TypeAlias = dict[Path, Value]


def explain(file: File, assignments: Sequence[str] = (), keys: Sequence[str] = ()) -> Values:
    """Every value of the experiment's config, or of the parts that the dotted `keys` name.

    Raises:
        UserError: the experiment has a mistake, or a key is not in its config.
    """
    experiment = loaded(file, assignments)
    composed = compose(experiment, slots=1)
    found = {path: value for path, value in leaves(composed.config.to_dict()) if path}
    for key in keys:
        if not any(is_below(path, [key]) for path in found):
            raise _unknown(key, found, file)
    values = {path: _value(composed.layers, path, found[path]) for path in found if is_below(path, keys)}
    if experiment.hyperparameters.use_pretrained and LOADED in values:
        values[LOADED] = _given_later(values[LOADED], experiment.where("hyperparameters", "use_pretrained"))
    return values


def explain_zoo(experiment: File) -> Values:
    """The same for the experiment's plain `config_file`, without anything laid over it."""
    plain = next(files(load_experiment(experiment)))
    return {path: _value([plain], path, value) for path, value in leaves(plain.config) if path}


def is_below(path: Path, keys: Sequence[str]) -> bool:
    """Whether a path is, or is below, one of the dotted keys; without keys every path is wanted."""
    return not keys or any(f"{dotted(path)}.".startswith(f"{key}.") for key in keys)


def as_python(values: Values) -> Iterator[str]:
    """The lines of a Python file with these values, each with its origin as a comment; mmengine loads it."""
    tree: dict[Any, Any] = {}
    for path, value in values.items():
        node = tree
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node[path[-1]] = value
    for name, node in tree.items():
        yield from _lines(f"{name} = ", node, indent="", comma="")


def as_json(values: Values) -> str:
    """A list of `{path, value, origin, replaced: [{value, origin}]}`."""
    rows = []
    for path, value in values.items():
        first, *older = value.origins
        replaced = [{"value": origin.value, "origin": origin.where} for origin in older]
        rows.append({"path": dotted(path), "value": value.value, "origin": first.where, "replaced": replaced})
    return json.dumps(rows, indent=2, default=str)


def difference(ours: Values, theirs: Values) -> Iterator[str]:
    """A line for each value that only one of two configs has, or that they have differently: `-` theirs, `+` ours."""
    for path in {**theirs, **ours}:
        one, other = theirs.get(path), ours.get(path)
        if one and other and type(one.value) is type(other.value) and one.value == other.value:
            continue
        for sign, value in (("-", one), ("+", other)):
            if value:
                yield f"{sign} {dotted(path)} = {value.value!r}  # {value.origins[0].where}"


def _given_later(value: Value, where: str) -> Value:
    """`load_from` of an experiment with `use_pretrained`: only training knows the file, and may download it."""
    first = Origin(value=value.value, where=f"the file's path, once training begins: {where}")
    return dataclasses.replace(value, origins=(first, *value.origins))


def _value(layers: Sequence[Layer], path: Path, value: Any) -> Value:
    return Value(path=path, value=value, origins=tuple(history(layers, path)))


def _unknown(key: str, found: Iterable[Path], experiment: File) -> ConfigError:
    near = nearest(key, sorted({dotted(path[:length]) for path in found for length in range(1, len(path) + 1)}))
    return ConfigError(
        what="the config has no such key",
        value=key,
        where=str(experiment),
        allowed="a dotted path such as model.backbone, train_dataloader.dataset.pipeline.2",
        next=did_you_mean(near) or f"python -m model_def explain {experiment}",
    )


def _text(origin: Origin) -> str:
    return origin.value if isinstance(origin.value, str) else repr(origin.value)


def _brief(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _lines(start: str, node: Any, *, indent: str, comma: str) -> Iterator[str]:
    """A section as `dict(…)`, `{…}` or `[…]` over several lines; a value on one."""
    if isinstance(node, Value):
        yield f"{indent}{start}{node.value!r}{comma}  # {node.comment}"
        return
    listed = all(isinstance(key, int) for key in node)
    words = not listed and all(isinstance(key, str) and key.isidentifier() for key in node)
    opening, closing = ("[", "]") if listed else ("dict(", ")") if words else ("{", "}")
    yield f"{indent}{start}{opening}"
    for key, child in node.items():
        name = "" if listed else f"{key}=" if words else f"{key!r}: "
        yield from _lines(name, child, indent=f"{indent}    ", comma=",")
    yield f"{indent}{closing}{comma}"
