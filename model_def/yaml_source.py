"""YAML text with the line and column of every key. YAML's own traps are handled here, once.

Scalars follow YAML 1.1 as the Determined master reads them (it gets the file as text), so `on`, `off`, `yes` and `no`
are booleans. Two things differ from PyYAML, and both are what the master does too: a number may have an exponent
without a dot (`1e-4`), and `12:30` or `2024-01-01` stay strings.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml

from model_def.errors import ExperimentError, Problem

Place: TypeAlias = tuple[str, ...]
COMMAND_LINE = "command line"  # the place of an assignment begins with it

_FLOAT = re.compile(
    r"""^(?:[-+]?(?:[0-9][0-9_]*)?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
        |[-+]?[0-9][0-9_]*\.?(?:[eE][-+]?[0-9]+)
        |[-+]?[0-9][0-9_]*\.
        |[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)
_INT = re.compile(r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
_REPLACED = {"tag:yaml.org,2002:float", "tag:yaml.org,2002:int", "tag:yaml.org,2002:timestamp"}


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the number rules that the Determined master has."""

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """An integer; `0o17` and `017` are octal."""
        text = str(self.construct_scalar(node)).replace("_", "")
        return int(re.sub(r"^([-+]?)0(?=[0-7])", r"\g<1>0o", text), 0)


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)
Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))


def normal(parts: tuple[str | int, ...]) -> Place:
    """`("a.b", "+c", 0)` as `("a", "b", "c", "0")`: a place has one name, however it was nested or dotted."""
    return tuple(piece.lstrip("+") or piece for part in parts for piece in str(part).split("."))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Where each value was written.

    Attributes:
        name: the file's name; empty when the values came from a cluster.
        lines: line and column (from 1) of each key and each list item.
        assigned: the `key=value` that set a place on the command line.
        variables: what stood at a place before its environment variables were replaced.
    """

    name: str = ""
    lines: Mapping[Place, tuple[int, int]] = dataclasses.field(default_factory=dict)
    assigned: Mapping[Place, str] = dataclasses.field(default_factory=dict)
    variables: Mapping[Place, str] = dataclasses.field(default_factory=dict)

    def has(self, *path: str | int) -> bool:
        """Whether this very place was written."""
        return normal(path) in self.assigned or normal(path) in self.lines

    def where(self, *path: str | int) -> str:
        """`quickstart.yaml:12:3 (hyperparameters.config_file)`; a place without a line has its parent's."""
        place = normal(path)
        variables = f", {self.variables[place]}" if place in self.variables else ""
        for length in range(len(place), 0, -1):
            if place[:length] in self.assigned:
                return f"{COMMAND_LINE} ({self.assigned[place[:length]]})"
            if place[:length] in self.lines:
                line, column = self.lines[place[:length]]
                return f"{self.name}:{line}:{column} ({'.'.join(place)}{variables})"
        return f"{self.name} ({'.'.join(place)}{variables})".strip() if place else self.name


def read_yaml(path: Path) -> tuple[dict[str, Any], Source]:
    """The mapping that a YAML file holds, and the place of each of its keys.

    Raises:
        ExperimentError: the file is missing, unreadable, empty, not a mapping, or not YAML (with all duplicate keys).
    """
    text = _read_text(path)
    node = _node(text, path)
    problems: list[Problem] = []
    lines: dict[Place, tuple[int, int]] = {}
    for place, mark, mistake in _walk(node, (), ()):
        if mistake:
            where = f"{path}:{mark.line + 1}:{mark.column + 1} ({'.'.join(place)})"
            allowed, next_step = "keys that are strings, each once", "remove one, or rename it"
            problems.append(Problem(what=mistake, value=place[-1], where=where, allowed=allowed, next=next_step))
        lines.setdefault(place, (mark.line + 1, mark.column + 1))
    if problems:
        raise ExperimentError.of(problems)
    return _construct(node, path), Source(name=str(path), lines=lines)


def parse_value(text: str, assignment: str) -> Any:
    """The value of a `key=value`, by the same rules as in a file; nothing after `=` is the empty string.

    Raises:
        ExperimentError: it isn't YAML.
    """
    try:
        return yaml.load(text, Loader=Loader) if text.strip() else text
    except yaml.YAMLError as error:
        raise ExperimentError(
            what=f"the value isn't YAML: {_reason(error)}",
            value=text,
            where=f"command line ({assignment})",
            allowed="a number, a string, [a, list] or {a: mapping}",
            next="put the whole argument in single quotes, such as 'model.neck.in_channels=[32, 64]'",
        ) from error


def as_scalar(text: str) -> Any:
    """What YAML reads where `text` stands alone: a number, a boolean or a string; "" is the empty string."""
    loader = Loader("")
    try:
        tag: str = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return loader.construct_object(yaml.ScalarNode(tag, text)) if text else text
    finally:
        loader.dispose()


def _read_text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise _unreadable(path, "no such experiment file", "python -m model_def ls") from error
    except UnicodeDecodeError as error:
        what = f"the experiment file isn't UTF-8 text (byte {error.start})"
        raise _unreadable(path, what, "save the file as UTF-8") from error
    except OSError as error:
        raise _unreadable(path, f"the experiment file can't be read ({error.strerror})", f"ls -l {path}") from error
    if not text.strip():
        raise _unreadable(path, "the experiment file is empty", "python -m model_def ls")
    return text


def _unreadable(path: Path, what: str, next_step: str) -> ExperimentError:
    allowed = "an experiment YAML file (UTF-8 text)"
    return ExperimentError(what=what, value=path.name, where=str(path), allowed=allowed, next=next_step)


def _node(text: str, path: Path) -> yaml.MappingNode:
    try:
        node = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise _syntax_error(error, path, text) from error
    if not isinstance(node, yaml.MappingNode):
        found = "nothing" if node is None else "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
        raise ExperimentError(
            what=f"an experiment is a mapping of keys to values; the file holds {found}",
            value=text.strip()[:40],
            where=f"{path}:1:1",
            allowed="`name: …`, `hyperparameters: {…}`, `searcher: {…}` and so on, one a line",
            next="python -m model_def ls",
        )
    return node


def _construct(node: yaml.MappingNode, path: Path) -> dict[str, Any]:
    loader = Loader("")
    try:
        value = loader.construct_document(node)
    except yaml.YAMLError as error:
        raise _syntax_error(error, path, "") from error
    except ValueError as error:  # a tag such as `!!int x`
        what = f"a value doesn't fit its tag ({error})"
        raise ExperimentError(what=what, value=path.name, where=str(path), next="remove the `!!` tag") from error
    finally:
        loader.dispose()
    return cast(dict[str, Any], value)  # the node is a mapping


def _syntax_error(error: yaml.YAMLError, path: Path, text: str) -> ExperimentError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if isinstance(error, yaml.reader.ReaderError):  # a character that YAML doesn't allow: it has no mark
        before = text[: error.position].split("\n")
        mark = yaml.Mark(path.name, error.position, len(before) - 1, len(before[-1]), text + "\0", error.position)
    where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
    line = mark.get_snippet(indent=0).splitlines()[0] if mark and mark.buffer else path.name
    return ExperimentError(
        what=f"the file isn't valid YAML: {_reason(error)}",
        value=line.strip(),
        where=where,
        allowed="`key: value` lines, indented by spaces; quote a string that has `: `, `#`, `{` or `[` in it",
        next=f"mend line {mark.line + 1}" if mark else "mend the file",
    )


def _reason(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    return f"{context}, {problem}" if context else str(problem)


def _key_mistake(key: yaml.Node, seen: bool) -> str:
    if key.tag in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"):
        return "YAML reads this key as a boolean or as nothing: put it in quotes"
    return "duplicate key" if seen and key.value != "<<" else ""


def _walk(node: yaml.Node, place: Place, above: tuple[int, ...]) -> Iterator[tuple[Place, yaml.Mark, str]]:
    """Each key and list item below `node`: its place, its mark, and what is wrong with it (or "")."""
    if id(node) in above:
        yield place, node.start_mark, "an anchor refers to itself"
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*place, str(index)), item.start_mark, ""
            yield from _walk(item, (*place, str(index)), (*above, id(node)))
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            below = (*place, *normal((name,)))
            yield below, key.start_mark, _key_mistake(key, name in seen)
            seen.add(name)
            yield from _walk(value, place if name == "<<" else below, (*above, id(node)))
